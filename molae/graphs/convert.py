"""To and from the graphs of networkx and of PyTorch Geometric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from molae.errors import RowError
from molae.graphs.labelled import LabelledGraph, labelled_graph

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data


def from_networkx(graph: nx.Graph) -> LabelledGraph:
    """Takes a networkx graph; its nodes are numbered in the order in which it lists them.

    Args:
        graph: Undirected graph; attributes of nodes and edges become their labels.
    Returns:
        The graph.
    Raises:
        RowError: `directed`; `multi_edge`; `self_loop`; `no_nodes`; `no_label`, if only some nodes or edges
            have an attribute.
    """
    if graph.is_directed():
        raise RowError("a directed graph: take its to_undirected()", "directed")
    number = {node: place for place, node in enumerate(graph)}
    edges = list(graph.edges(data=True))
    ends = np.array([(number[i], number[j]) for i, j, _ in edges], dtype=np.int64).reshape(-1, 2)
    if graph.is_multigraph() and len({frozenset(pair) for pair in ends.tolist()}) < len(ends):
        raise RowError("parallel edges: take networkx.Graph(graph), which keeps one of each", "multi_edge")
    return labelled_graph(
        len(graph),
        ends,
        _columns([data for _, data in graph.nodes(data=True)], "node"),
        _columns([data for _, _, data in edges], "edge"),
    )


def to_networkx(graph: LabelledGraph) -> nx.Graph:
    """Gives a networkx graph with nodes 0 .. n-1, labels as attributes of nodes and edges.

    >>> path = LabelledGraph(3, np.array([[0, 1], [1, 2]]), {"colour": ["red", "blue", "red"]})
    >>> to_networkx(path).nodes[1]
    {'colour': 'blue'}
    """
    import networkx as nx

    found = nx.Graph()
    found.add_nodes_from((node, _row(graph.node_labels, node)) for node in range(graph.size))
    found.add_edges_from((int(i), int(j), _row(graph.edge_labels, e)) for e, (i, j) in enumerate(graph.pairs))
    return found


def from_pyg(data: Data) -> LabelledGraph:
    """Takes a graph of PyTorch Geometric: `edge_index`, and `x` and `edge_attr` where they hold categories.

    Categories are integers, one column for each attribute (called `x`, or `x0`, `x1` and so on), or one-hot
    vectors, which make one attribute. Other fields, positions among them, are not read.

    Args:
        data: Graph whose edges are listed in both directions.
    Returns:
        The graph.
    Raises:
        RowError: `no_nodes`; `self_loop`; `directed`, if an edge lacks its reverse; `conflict`, if it has
            other features; `continuous`, for features that are no categories.
    """
    if data.edge_index is None:
        raise RowError("no edge_index: give one, of shape (2, 0) for no edges", "no_edges")
    ends = data.edge_index.cpu().numpy().T
    forward = {(int(i), int(j)) for i, j in ends}
    for i, j in forward:
        if (j, i) not in forward:
            raise RowError(
                f"an edge from node {i} to {j} without its reverse: apply ToUndirected()", "directed"
            )
    size = int(data.num_nodes or 0)
    return labelled_graph(size, ends, _features(data.x, "x"), _features(data.edge_attr, "edge_attr"))


def _columns(rows: Sequence[Mapping[Any, Any]], kind: str) -> dict[str, list[Any]]:
    """The attributes of all rows by name."""
    names = sorted({name for row in rows for name in row}, key=str)
    for name in names:
        without = sum(name not in row for row in rows)
        if without:
            raise RowError(
                f"{without} of {len(rows)} {kind}s have no attribute {name!r}, the others do", "no_label"
            )
    return {str(name): [row[name] for row in rows] for name in names}


def _row(columns: Mapping[str, Sequence[Any]], place: int) -> dict[str, Any]:
    return {name: values[place] for name, values in columns.items()}


def _features(values: Tensor | None, name: str) -> dict[str, list[int]]:
    if values is None or values.numel() == 0:
        return {}
    table = values.cpu().reshape(len(values), -1)
    if not table.is_floating_point():
        columns = table.long().T.tolist()
        return {name if len(columns) == 1 else f"{name}{k}": column for k, column in enumerate(columns)}
    if not (((table == 0) | (table == 1)).all() and (table.sum(1) == 1).all()):
        raise RowError(
            f"{name} holds continuous features, only categories can be read: give integers or one-hot"
            " vectors, or leave it out",
            "continuous",
        )
    return {name: table.argmax(1).tolist()}
