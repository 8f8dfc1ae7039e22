"""Folders of the TUDataset collection (Morris et al. 2020, arXiv:2007.08663): graphs in text files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped

from molae.errors import DataError, RowError
from molae.graphs.labelled import LabelledGraph, labelled_graph
from molae.io.records import Make, Record, RecordRows, Row

_EDGES = "_A.txt"


class TUFolder(RecordRows):
    """Graphs of a folder with the files `NAME_A.txt`, `NAME_graph_indicator.txt` and, where the set has them,
    `NAME_node_labels.txt`, `NAME_node_attributes.txt`, `NAME_edge_labels.txt`, `NAME_edge_attributes.txt` and
    `NAME_graph_labels.txt`.

    Labels are called `label`, or `label0`, `label1` and so on where there are several, and attributes, which
    are continuous, `attribute` likewise. Whether edges have the direction in which they are listed the folder
    does not say; whoever reads it decides.

    Args:
        folder: The folder, or the one above its folder `raw`.
    Raises:
        DataError: If the files are missing, damaged, or do not fit together.
    """

    id_column = "graph"

    def __init__(self, folder: Path) -> None:
        self._prefix = _find_prefix(folder)
        indicator = self._read("graph_indicator")
        if indicator is None:
            raise DataError(f"{folder} has no {self._prefix.name}_graph_indicator.txt")
        graph_of = indicator[:, 0]
        if graph_of.min() < 1:
            raise DataError(f"{self._prefix}_graph_indicator.txt: graphs are numbered from 1")
        count = int(graph_of.max())
        self._node_order = np.argsort(graph_of, kind="stable")
        self._node_start = np.searchsorted(graph_of[self._node_order], np.arange(1, count + 2))
        self._node_labels = self._named("node", len(graph_of))
        self._set_edges(graph_of, count)
        targets = self._table("graph_labels", count)
        self._targets = None if targets is None else targets[:, 0]

    def records(self) -> Iterator[Make]:
        """Gives what makes the records."""
        return (partial(self._record, index) for index in range(len(self._node_start) - 1))

    def columns(self) -> Sequence[str]:
        """The number of the graph, and its label where the set has them."""
        return ("graph",) if self._targets is None else ("graph", "label")

    def _set_edges(self, graph_of: Int[np.ndarray, " n"], count: int) -> None:
        edges = self._read("A")
        ends = np.zeros((0, 2), dtype=np.int64) if edges is None else edges - 1
        if ends.shape[1] != 2 or ends.min(initial=0) < 0 or ends.max(initial=0) >= len(graph_of):
            raise DataError(f"{self._prefix}{_EDGES}: expected two numbers of nodes, from 1, in a line")
        order = np.argsort(graph_of[ends[:, 0]], kind="stable")
        self._edge_start = np.searchsorted(graph_of[ends[order, 0]], np.arange(1, count + 2))
        self._edge_labels = {name: values[order] for name, values in self._named("edge", len(ends)).items()}
        self._ends = ends[order]

    def _record(self, index: int) -> Record:
        values = {"graph": str(index + 1)}
        if self._targets is not None:
            values["label"] = str(self._targets[index])
        try:
            return Record(Row(index + 1, id=values["graph"], graph=self._graph(index)), values)
        except RowError as error:
            return Record(Row(index + 1, id=values["graph"], error=error), values)

    def _graph(self, index: int) -> LabelledGraph:
        nodes = self._node_order[slice(*self._node_start[index : index + 2])]
        edges = slice(*self._edge_start[index : index + 2])
        place = dict(zip(nodes.tolist(), range(len(nodes)), strict=True))
        ends = [[place.get(node, -1) for node in pair] for pair in self._ends[edges].tolist()]
        node_labels = {name: values[nodes].tolist() for name, values in self._node_labels.items()}
        edge_labels = {name: values[edges].tolist() for name, values in self._edge_labels.items()}
        if any(-1 in pair for pair in ends):
            raise RowError("an edge leads to a node of another graph", "no_such_node")
        return labelled_graph(len(nodes), np.array(ends), node_labels, edge_labels, directed=None)

    def _path(self, name: str) -> Path:
        return self._prefix.with_name(f"{self._prefix.name}_{name}.txt")

    def _read(self, name: str, kind: type = np.int64) -> Shaped[np.ndarray, "l c"] | None:
        path = self._path(name)
        if not path.exists() or not path.stat().st_size:
            return None
        try:
            return np.loadtxt(path, delimiter=",", dtype=kind, ndmin=2)
        except (OSError, ValueError) as error:
            what = "integers" if kind is np.int64 else "numbers"
            raise DataError(f"{path}: expected {what} between commas: {error}") from error

    def _table(self, name: str, count: int, kind: type = np.int64) -> Shaped[np.ndarray, "l c"] | None:
        table = self._read(name, kind)
        if table is not None and len(table) != count:
            raise DataError(f"{self._path(name)} has {len(table)} lines, expected {count}")
        return table

    def _named(self, of: str, count: int) -> dict[str, Shaped[np.ndarray, " l"]]:
        """Labels and attributes of all nodes or edges by name."""
        found: dict[str, np.ndarray] = {}
        for name, kind in (("label", np.int64), ("attribute", np.float64)):
            table = self._table(f"{of}_{name}s", count, kind)
            columns = () if table is None else table.T
            found |= {name if len(columns) == 1 else f"{name}{k}": column for k, column in enumerate(columns)}
        return found


def _find_prefix(folder: Path) -> Path:
    """Path of the files without what follows the name of the data set."""
    found = sorted(folder.glob(f"*{_EDGES}")) or sorted(folder.glob(f"raw/*{_EDGES}"))
    if len(found) != 1:
        raise DataError(
            f"{folder} has {len(found) or 'no'} files *{_EDGES}, expected a folder of one TUDataset, or of"
            " Parquet files"
        )
    return found[0].with_name(found[0].name.removesuffix(_EDGES))
