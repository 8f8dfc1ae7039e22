"""A graph as its user has it: nodes and edges with labels of any kind, not yet categories of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int

from molae.errors import RowError


@dataclass(frozen=True)
class LabelledGraph:
    """An undirected graph without loops and parallel edges.

    Attributes:
        size: Number of nodes.
        pairs: The two ends of each edge, the lower first; every edge once.
        node_labels: Name of each attribute of the nodes, and the label of every node.
        edge_labels: Name of each attribute of the edges, and the label of every edge.
    """

    size: int
    pairs: Int[np.ndarray, "e 2"]
    node_labels: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    edge_labels: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.size


def labelled_graph(
    size: int,
    ends: Int[np.ndarray, "e 2"],
    node_labels: Mapping[str, Sequence[Any]] | None = None,
    edge_labels: Mapping[str, Sequence[Any]] | None = None,
) -> LabelledGraph:
    """Makes a graph from edges as files list them: in either direction, or in both.

    Args:
        size: Number of nodes.
        ends: The two ends of each edge, numbers of nodes from 0.
        node_labels: Name of each attribute of the nodes, and the label of every node.
        edge_labels: Name of each attribute of the edges, and the label of every edge.
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
    pairs, first, edge = np.unique(np.sort(ends, axis=1), axis=0, return_index=True, return_inverse=True)
    edge_labels = edge_labels or {}
    for name, values in edge_labels.items():
        for place, value in enumerate(values):
            other = values[first[edge[place]]]
            if value != other:
                i, j = ends[place]
                raise RowError(
                    f"the edge between nodes {i} and {j} is listed with {name} {other!r} and {value!r}",
                    "conflict",
                )
    kept = {name: [values[place] for place in first] for name, values in edge_labels.items()}
    return LabelledGraph(size, pairs, dict(node_labels or {}), kept)
