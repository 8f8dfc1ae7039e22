"""To and from the graphs of networkx and of PyTorch Geometric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from molae.errors import DataError, RowError
from molae.graphs.labelled import LabelledGraph, Values, labelled_graph, same_value

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data


#: Fields of PyG's Data that are no attributes.
_RESERVED = frozenset(("edge_index", "num_nodes", "batch", "ptr"))


def from_networkx(graph: nx.Graph) -> LabelledGraph:
    """Takes a networkx graph; its nodes are numbered in the order in which it lists them.

    Args:
        graph: Graph, directed or not; attributes of nodes and edges become their labels, or numbers where
            they are floating-point ones. Tuples, lists and arrays of floating-point numbers, as long for all
            nodes or edges, are vectors. What only some of the nodes or edges have is left out.
    Returns:
        The graph.
    Raises:
        RowError: `multi_edge`; `self_loop`; `no_nodes`.
    """
    number = {node: place for place, node in enumerate(graph)}
    edges = list(graph.edges(data=True))
    ends = np.array([(number[i], number[j]) for i, j, _ in edges], dtype=np.int64).reshape(-1, 2)
    directed = graph.is_directed()
    told = ends if directed else np.sort(ends, axis=1)
    if graph.is_multigraph() and len(np.unique(told, axis=0)) < len(ends):
        raise RowError("parallel edges: take networkx.Graph(graph), which keeps one of each", "multi_edge")
    return labelled_graph(
        len(graph),
        ends,
        _columns([data for _, data in graph.nodes(data=True)]),
        _columns([data for _, _, data in edges]),
        directed,
    )


def to_networkx(graph: LabelledGraph) -> nx.Graph:
    """Gives a networkx graph with nodes 0 .. n-1, labels and numbers as attributes of nodes and edges; a
    `DiGraph` where edges have directions.

    >>> path = LabelledGraph(3, np.array([[0, 1], [1, 2]]), {"colour": ["red", "blue", "red"]})
    >>> to_networkx(path).nodes[1]
    {'colour': 'blue'}
    """
    import networkx as nx

    found = nx.DiGraph() if graph.directed else nx.Graph()
    found.add_nodes_from((node, _row(graph.node_labels, node)) for node in range(graph.size))
    found.add_edges_from((int(i), int(j), _row(graph.edge_labels, e)) for e, (i, j) in enumerate(graph.pairs))
    return found


def from_pyg(data: Data) -> LabelledGraph:
    """Takes a graph of PyTorch Geometric: `edge_index`, and `x` and `edge_attr` where it has them.

    Integers are categories, one column for each attribute (called `x`, or `x0`, `x1` and so on).
    Floating-point numbers are continuous attributes, called likewise; those of a data set that are one-hot in
    all of its graphs are one category. Other fields, positions among them, are not read.

    Args:
        data: The graph. Where each edge is listed in both directions with the same features it may be read
            as undirected; else it is directed.
    Returns:
        The graph.
    Raises:
        RowError: `no_nodes`; `self_loop`; `conflict`, if an edge is listed twice with different features.
    """
    if data.edge_index is None:
        raise RowError("no edge_index: give one, of shape (2, 0) for no edges", "no_edges")
    ends = data.edge_index.cpu().numpy().T
    size = int(data.num_nodes or 0)
    graph = labelled_graph(
        size, ends, _features(data.x, "x"), _features(data.edge_attr, "edge_attr"), directed=None
    )
    return replace(graph, directed=True) if _is_one_way(graph) else graph


def to_pyg(graph: LabelledGraph) -> Data:
    """Gives a graph of PyTorch Geometric, each edge in both directions unless edges have directions.

    Args:
        graph: The graph.
    Returns:
        `edge_index`; `x` and `edge_attr`, where attributes have the names that `from_pyg` gives; every other
        attribute under its name, those of edges with `edge_` before it unless they have it: integers and
        numbers as a tensor of a row for each node or edge, text as a list.
    Raises:
        DataError: If an attribute would take the place of another field.

    >>> path = LabelledGraph(3, np.array([[0, 1], [1, 2]]), {"mass": [1.5, 2.5, 1.5]})
    >>> to_pyg(path)
    Data(edge_index=[2, 4], num_nodes=3, mass=[3])
    """
    import torch
    from torch_geometric.data import Data

    ends = graph.pairs if graph.directed else np.concatenate([graph.pairs, graph.pairs[:, ::-1]])
    data = Data(
        edge_index=torch.tensor(ends.T.copy(), dtype=torch.int64).reshape(2, -1), num_nodes=graph.size
    )
    doubled = {
        name: _repeated(values, 1 if graph.directed else 2) for name, values in graph.edge_labels.items()
    }
    for name, tensor in (*_fields(graph.node_labels, "x"), *_fields(doubled, "edge_attr", "edge_")):
        if name in data or name in _RESERVED:
            raise DataError(
                f"an attribute named {name!r} has no place in PyG's Data: ask for networkx graphs"
            )
        data[name] = tensor
    return data


def _fields(labels: Mapping[str, Values], joint: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of the fields of attributes: the columns of the joint one together, others alone."""
    columns = sorted(
        (name for name in labels if re.fullmatch(rf"{joint}\d*", name)), key=lambda name: (len(name), name)
    )
    if columns:
        yield joint, _stacked([_tensor(labels[name]) for name in columns])
    for name, values in labels.items():
        if name not in columns:
            yield name if name.startswith(prefix) else prefix + name, _tensor(values)


def _columns(rows: Sequence[Mapping[Any, Any]]) -> dict[str, Values]:
    """The attributes that all rows have, by name."""
    shared = set(rows[0]).intersection(*rows[1:]) if rows else set()
    return {str(name): _as_vectors([row[name] for row in rows]) for name in sorted(shared, key=str)}


def _as_vectors(values: list[Any]) -> Values:
    """An array where the values are vectors of floating-point numbers, all as long."""
    if not values or not isinstance(values[0], (tuple, list, np.ndarray)):
        return values
    try:
        table = np.array(values)
    except ValueError:  # not all as long
        return values
    return table if table.ndim == 2 and table.dtype.kind == "f" else values


def _row(columns: Mapping[str, Values], place: int) -> dict[str, Any]:
    return {name: values[place] for name, values in columns.items()}


def _is_one_way(graph: LabelledGraph) -> bool:
    """Whether an edge lacks its reverse, or that has other labels."""
    place = {(i, j): edge for edge, (i, j) in enumerate(graph.pairs.tolist())}
    for (i, j), edge in place.items():
        back = place.get((j, i))
        if back is None or not all(
            same_value(values[edge], values[back]) for values in graph.edge_labels.values()
        ):
            return True
    return False


def _tensor(values: Values) -> Any:
    import torch

    if any(isinstance(value, str) for value in values):
        return list(values)
    # Of no values nothing tells the type; labels are integers, numbers come as arrays.
    return torch.tensor(values, dtype=None if len(values) or isinstance(values, np.ndarray) else torch.int64)


def _stacked(columns: list[Tensor]) -> Tensor:
    import torch

    return torch.stack([column.reshape(-1) for column in columns], dim=1)


def _repeated(values: Values, times: int) -> Values:
    return np.tile(values, times) if isinstance(values, np.ndarray) else list(values) * times


def _features(values: Tensor | None, name: str) -> dict[str, Values]:
    if values is None or values.numel() == 0:
        return {}
    table = values.cpu().reshape(len(values), -1)
    if table.is_floating_point():
        numbers = table.double().numpy()
        return {name: numbers[:, 0].tolist() if numbers.shape[1] == 1 else numbers}
    columns = table.long().T.tolist()
    return {name if len(columns) == 1 else f"{name}{k}": column for k, column in enumerate(columns)}
