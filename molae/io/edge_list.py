"""Tables of edges: columns for the name of the graph, the two ends of the edge, and its labels."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from molae.errors import DataError, RowError
from molae.graphs.labelled import LabelledGraph, labelled_graph
from molae.io.columns import is_smiles_name
from molae.io.delimited import allow_long_fields, find_delimiter
from molae.io.records import Make, Record, RecordRows, Row
from molae.io.streams import Lines

_NUMBER = re.compile(
    r"[+-]?((\d+\.\d*|\.\d+)([eE][+-]?\d+)?|\d+[eE][+-]?\d+|nan|inf)", re.ASCII | re.IGNORECASE
)
GRAPH, SOURCE, TARGET = COLUMNS = ("graph", "source", "target")


def is_edge_list(header: str) -> bool:
    """Whether the first line of a table names the columns of an edge list."""
    names = _names(header)
    return {SOURCE, TARGET} <= set(names) and not any(map(is_smiles_name, names))


class EdgeList(RecordRows):
    """Graphs of a table whose rows are edges.

    A graph may have its edges anywhere in the table; graphs come in the order in which they turn up. Nodes
    are called by any text and numbered likewise. Nodes without an edge cannot be written in this form.
    Whether edges have the direction from source to target the table does not say; whoever reads it decides.

    In the other columns integers and text are labels of the edges, numbers with a decimal point or exponent
    (and `nan` and `inf`) continuous.

    Args:
        lines: The lines of the file, the first of which names the columns `graph`, `source`, `target` and the
            labels of the edges, if any.
        source: Name of the input, for error messages.
    Raises:
        DataError: If there is no column `graph`, or the table cannot be read at all.
    """

    id_column = GRAPH

    def __init__(self, lines: Lines, source: str) -> None:
        header = lines.head(1)[0]
        names = _names(header)
        if GRAPH not in names:
            raise DataError(f"{source}: no column {GRAPH!r} says which graph an edge belongs to")
        # Kept, since the file would be closed with the lines.
        self._lines = lines
        self._labels = [name for name in names if name not in COLUMNS]
        self._graphs: dict[str, _Edges] = {}
        allow_long_fields()
        try:
            table = csv.reader(lines, delimiter=find_delimiter(header))
            next(table)
            for fields in table:
                self._add(fields, names, table.line_num)
        except csv.Error as error:
            raise DataError(f"{source}: malformed table: {error}") from error

    def records(self) -> Iterator[Make]:
        """Gives what makes the records."""
        return (partial(self._record, number, name) for number, name in enumerate(self._graphs, start=1))

    def columns(self) -> Sequence[str]:
        """The column of the graph's name; those of edges are no columns of graphs."""
        return (GRAPH,)

    def _add(self, fields: Sequence[str], names: Sequence[str], line: int) -> None:
        if not fields:
            return
        values = dict(zip(names, map(str.strip, fields), strict=False))
        edges = self._graphs.setdefault(values.get(GRAPH, ""), _Edges())
        if len(fields) != len(names):
            edges.error = RowError(
                f"line {line}: {len(fields)} fields, the header has {len(names)}", "ragged"
            )
        elif not (values[SOURCE] and values[TARGET]):
            edges.error = RowError(f"line {line}: an edge needs a source and a target", "no_such_node")
        else:
            edges.ends.append((edges.number(values[SOURCE]), edges.number(values[TARGET])))
            edges.labels.append([_label(values[name]) for name in self._labels])

    def _record(self, number: int, name: str) -> Record:
        values = {GRAPH: name}
        try:
            return Record(Row(number, id=name, graph=self._graphs[name].graph(self._labels)), values)
        except RowError as error:
            return Record(Row(number, id=name, error=error), values)


@dataclass
class _Edges:
    """What the table says of one graph."""

    nodes: dict[str, int] = field(default_factory=dict)
    ends: list[tuple[int, int]] = field(default_factory=list)
    labels: list[list[int | float | str]] = field(default_factory=list)
    error: RowError | None = None

    def number(self, node: str) -> int:
        return self.nodes.setdefault(node, len(self.nodes))

    def graph(self, names: Sequence[str]) -> LabelledGraph:
        if self.error is not None:
            raise self.error
        columns = zip(*self.labels, strict=True)
        labels = dict(zip(names, columns, strict=True))
        return labelled_graph(len(self.nodes), np.array(self.ends), edge_labels=labels, directed=None)


def _names(header: str) -> list[str]:
    names = [cell.strip('" ') for cell in header.split(find_delimiter(header))]
    return [name.lower() if name.lower() in COLUMNS else name for name in names]


def _label(text: str) -> int | float | str:
    """An integer where the text is one and nothing is lost, or a floating-point number."""
    digits = text.removeprefix("-")
    if digits.isdecimal() and str(int(text)) == text:
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
