"""A graph as its user has it: nodes and edges with labels and numbers, not yet categories of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from molae.errors import RowError

#: What the nodes or edges have in one attribute: integers, text or floating-point numbers; in an array of two
#: dimensions, a vector for each.
Values = Sequence[Any] | np.ndarray


@dataclass(frozen=True)
class LabelledGraph:
    """A graph without loops and parallel edges, directed or not.

    Attributes:
        size: Number of nodes.
        pairs: The two ends of each edge, every edge once: the source first in a directed graph, else the
            lower. Where `directed` is None they are as the source lists them, in one direction or in both.
        node_labels: Name of each attribute of the nodes, and what every node has: integers or text, which are
            labels, or floating-point numbers. An array of two dimensions has a vector for every node.
        edge_labels: The same of the edges.
        directed: Whether edges have a direction; None where the source does not say, so that whoever reads
            the graph decides (see `as_directed`).
    """

    size: int
    pairs: Int[np.ndarray, "e 2"]
    node_labels: Mapping[str, Values] = field(default_factory=dict)
    edge_labels: Mapping[str, Values] = field(default_factory=dict)
    directed: bool | None = False

    def __len__(self) -> int:
        return self.size


def labelled_graph(
    size: int,
    ends: Int[np.ndarray, "e 2"],
    node_labels: Mapping[str, Values] | None = None,
    edge_labels: Mapping[str, Values] | None = None,
    directed: bool | None = False,
) -> LabelledGraph:
    """Makes a graph from edges as files list them.

    Args:
        size: Number of nodes.
        ends: The two ends of each edge, numbers of nodes from 0; the source first where there is a direction.
        node_labels: As in `LabelledGraph`.
        edge_labels: As there.
        directed: As there. Edges without a direction may be listed in either, or in both.
    Returns:
        The graph, each edge once.
    Raises:
        RowError: `no_nodes`; `no_such_node`; `self_loop`; `conflict`, if an edge is listed twice with
            different labels.
    """
    if size == 0:
        raise RowError("a graph without nodes", "no_nodes")
    ends = np.asarray(ends, dtype=np.int64).reshape(-1, 2)
    outside = ends[(ends < 0) | (ends >= size)]
    if len(outside):
        raise RowError(f"an edge ends at node {outside[0]}, but there are {size} nodes", "no_such_node")
    loops = ends[ends[:, 0] == ends[:, 1], 0]
    if len(loops):
        raise RowError(f"an edge from node {loops[0]} to itself: leave such edges out", "self_loop")
    told = np.sort(ends, axis=1) if directed is False else ends
    pairs, first, edge = np.unique(told, axis=0, return_index=True, return_inverse=True)
    edge_labels = edge_labels or {}
    for name, values in edge_labels.items():
        if len(values) != len(ends):
            raise RowError(f"{len(values)} values of {name!r} for {len(ends)} edges", "no_label")
        for place, value in enumerate(values):
            other = values[first[edge[place]]]
            if not same_value(value, other):
                i, j = ends[place]
                between = f"between nodes {i} and {j}" if directed is False else f"from node {i} to {j}"
                hint = "; are the edges directed?" if directed is False else ""
                raise RowError(
                    f"the edge {between} is listed with {name} {other!r} and {value!r}{hint}", "conflict"
                )
    kept = {name: _taken(values, first) for name, values in edge_labels.items()}
    return LabelledGraph(size, pairs, dict(node_labels or {}), kept, directed)


def as_directed(graph: LabelledGraph, directed: bool) -> LabelledGraph:
    """Reads a graph as directed or not, where its source leaves that open.

    Args:
        graph: The graph.
        directed: Whether edges are to have a direction. Those that are listed in both directions are then
            two.
    Returns:
        The graph, of which it is now said.
    Raises:
        RowError: `directed` or `undirected`, if the graph says that it is the other; `conflict`, if an edge
            without a direction is listed in both with different labels.
    """
    if graph.directed is directed:
        return graph
    if graph.directed:
        raise RowError(
            "a directed graph among undirected ones: take its to_undirected() (ToUndirected() in PyG)",
            "directed",
        )
    if graph.directed is not None:
        raise RowError("an undirected graph among directed ones: take its to_directed()", "undirected")
    if directed:
        return replace(graph, directed=True)
    return labelled_graph(graph.size, graph.pairs, graph.node_labels, graph.edge_labels)


def same_value(first: Any, second: Any) -> bool:
    """Whether two edges have the same in an attribute; what is not a number is the same as itself."""
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second, equal_nan=True)
    return bool(first == second or (first != first and second != second))


def _taken(values: Values, places: Int[np.ndarray, " e"]) -> Values:
    return values[places] if isinstance(values, np.ndarray) else [values[place] for place in places]
