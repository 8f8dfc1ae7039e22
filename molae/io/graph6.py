"""Files of graph6 lines, one unlabelled graph each (McKay, https://users.cecs.anu.edu.au/~bdm/data/formats.txt)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from molae.errors import RowError
from molae.graphs.labelled import LabelledGraph, labelled_graph
from molae.io.records import Make, Record, RecordRows, Row
from molae.io.streams import Lines, refusal

_HEADER = ">>graph6<<"
_OTHERS = {":": "sparse6", ";": "incremental sparse6", "&": "digraph6", ">": "a file of another format"}


class Graph6File(RecordRows):
    """Rows of a graph6 file.

    Args:
        lines: The lines of the file; the first may begin with the header `>>graph6<<`.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def records(self) -> Iterator[Make]:
        """Reads lazily what makes the records."""
        return (partial(_record, number, line) for number, line in enumerate(self._lines, start=1))

    def columns(self) -> Sequence[str]:
        """The name given to the lines."""
        return ("graph6",)


def _record(number: int, line: str) -> Record:
    text = line.removeprefix(_HEADER).strip() if number == 1 else line.strip()
    try:
        return Record(Row(number, graph=read_graph6(text)), {"graph6": text})
    except RowError as error:
        return Record(Row(number, error=error), {"graph6": text})


def read_graph6(text: str) -> LabelledGraph:
    """Reads one graph.

    Args:
        text: A line of graph6, without the header.
    Returns:
        The graph, without labels.
    Raises:
        RowError: `empty`; `unparsable`, if it is not graph6; `no_nodes`.

    >>> read_graph6("Bw").pairs.tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    if error := refusal(text):
        raise error
    if not text:
        raise RowError("no graph in this row", "empty")
    if text[0] in _OTHERS:
        raise RowError(f"{_OTHERS[text[0]]}, expected graph6", "unparsable")
    values = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64) - 63
    if values.min() < 0 or values.max() > 63:
        raise RowError(f"not graph6: characters outside ?..~: {text[:40]!a}", "unparsable")
    size, values = _split_size(values)
    count = size * (size - 1) // 2
    if len(values) != -(-count // 6):
        raise RowError(f"not graph6: wrong length for {size} nodes: {text[:40]!a}", "unparsable")
    bits = (values[:, None] >> np.arange(5, -1, -1) & 1).reshape(-1)[:count]
    # Column after column of the upper triangle, which is row after row of the lower one.
    return labelled_graph(size, np.stack(np.tril_indices(size, -1), axis=1)[bits == 1])


def _split_size(values: np.ndarray) -> tuple[int, np.ndarray]:
    """Splits off the number of nodes: one digit, or three behind `~`, or six behind `~~`."""
    marks = 2 if len(values) > 1 and (values[:2] == 63).all() else int(values[0] == 63)
    end = marks + (1, 3, 6)[marks]
    if len(values) < end:
        raise RowError("not graph6: the number of nodes is cut short", "unparsable")
    size = 0
    for digit in values[marks:end].tolist():
        size = 64 * size + digit
    return size, values[end:]
