"""From labels and numbers to the arrays that a model reads, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from molae.errors import RowError
from molae.graphs.labelled import LabelledGraph, Values, as_directed
from molae.graphs.order import order_nodes
from molae.graphs.vocabulary import Label, Number, Vocabulary, expanded, is_number
from molae.types import Graph


def encode(graph: LabelledGraph, vocabulary: Vocabulary, max_nodes: int) -> Graph:
    """Turns labels into categories and scales numbers, and adds the canonical order.

    Args:
        graph: The graph.
        vocabulary: The attributes that the model reads, with their labels. Attributes that are not in it are
            left out.
        max_nodes: Most nodes that the model takes.
    Returns:
        The graph in arrays, without positions.
    Raises:
        RowError: `too_large`; `directed` or `undirected`, if the model takes the other kind; `conflict` (see
            `molae.graphs.labelled.as_directed`); `no_label`, if nodes or edges lack an attribute; `label`,
            for a label that is not in the vocabulary, or two that are not on the edges of one pair; `number`,
            for what is no number; `not_finite`.
    """
    if len(graph) > max_nodes:
        raise RowError(f"{len(graph)} nodes, the model takes at most {max_nodes}", "too_large")
    graph = as_directed(graph, vocabulary.directed)
    of_nodes, of_edges = expanded(graph.node_labels), expanded(graph.edge_labels)
    channels = [_categories(of_nodes, name, labels, "node", _node) for name, labels in vocabulary.nodes] or [
        np.zeros(len(graph), dtype=np.int64)
    ]
    nodes = np.stack(channels, axis=1)
    edge = _edge_of(graph)
    kinds = np.ones(len(graph.pairs), dtype=np.int64)
    if vocabulary.edges is not None and len(graph.pairs):
        kinds += _categories(of_edges, *vocabulary.edges, "edge", edge)
    edges = _join_directions(graph, kinds, vocabulary)
    numbers = edge_numbers = None
    if vocabulary.node_numbers:
        numbers = _standardised(of_nodes, vocabulary.node_numbers, len(graph), "node", _node)
    if vocabulary.edge_numbers:
        values = _standardised(of_edges, vocabulary.edge_numbers, len(graph.pairs), "edge", edge)
        edge_numbers = _spread(graph, values)
    slot, tie = order_nodes(nodes, edges, numbers, edge_numbers)
    return Graph(nodes, edges, None, slot, slot, tie, None, numbers, edge_numbers)


def decode(
    nodes: Int[np.ndarray, "n k"],
    edges: Int[np.ndarray, "n n"],
    vocabulary: Vocabulary,
    numbers: Float[np.ndarray, "n q"] | None = None,
    edge_numbers: Float[np.ndarray, "n n p"] | None = None,
) -> LabelledGraph:
    """Turns categories back into labels, and numbers into their units; the reverse of `encode`."""
    there = np.array([ways[0] for ways in vocabulary.directions])[edges]
    pairs = np.argwhere(there if vocabulary.directed else np.triu(there, 1))
    i, j = pairs.T
    node_labels: dict[str, Values] = {
        name: [labels[category] for category in nodes[:, channel]]
        for channel, (name, labels) in enumerate(vocabulary.nodes)
    }
    edge_labels: dict[str, Values] = {}
    if vocabulary.edges is not None:
        name, labels = vocabulary.edges
        edge_labels[name] = [labels[place - 1] for place in there[i, j]]
    if numbers is not None:
        node_labels |= _restored(numbers, vocabulary.node_numbers)
    if edge_numbers is not None:
        edge_labels |= _restored(edge_numbers[i, j], vocabulary.edge_numbers)
    return LabelledGraph(len(nodes), pairs, node_labels, edge_labels, vocabulary.directed)


def _categories(
    attributes: Mapping[str, Values], name: str, labels: Sequence[Label], kind: str, where: Any
) -> Int[np.ndarray, " n"]:
    values = _attribute(attributes, name, kind)
    known = {label: category for category, label in enumerate(labels)}
    found = [known.get(value) if _hashable(value) else None for value in values]
    if None in found:
        place = found.index(None)
        raise RowError(
            f"{kind} attribute {name!r} is {values[place]!r}, a label that the model does not know,"
            f" {where(place)}",
            "label",
        )
    return np.array(found, dtype=np.int64)


def _standardised(
    attributes: Mapping[str, Values], numbers: Sequence[Number], count: int, kind: str, where: Any
) -> Float[np.ndarray, "n q"]:
    """Columns of numbers as the model sees them."""
    found = np.zeros((count, len(numbers)), dtype=np.float32)
    if not count:
        return found
    for column, number in enumerate(numbers):
        values = _attribute(attributes, number.name, kind)
        for place, value in enumerate(values):
            if not is_number(value):
                raise RowError(
                    f"{kind} attribute {number.name!r} is {value!r}, no number, {where(place)}", "number"
                )
        with np.errstate(over="ignore"):
            found[:, column] = number.standardise(np.array(values, dtype=np.float64))
        odd = np.flatnonzero(~np.isfinite(found[:, column]))
        if len(odd):
            raise RowError(
                f"{kind} attribute {number.name!r} is {values[odd[0]]}, not a finite number, {where(odd[0])}",
                "not_finite",
            )
    return found


def _attribute(attributes: Mapping[str, Values], name: str, kind: str) -> Values:
    if name not in attributes:
        raise RowError(f"not all {kind}s have the attribute {name!r}, which the model reads", "no_label")
    return attributes[name]


def _node(place: int) -> str:
    return f"at node {place}"


def _edge_of(graph: LabelledGraph) -> Any:
    def where(place: int) -> str:
        i, j = graph.pairs[place]
        return f"on the edge from node {i} to {j}"

    return where


def _join_directions(
    graph: LabelledGraph, kinds: Int[np.ndarray, " e"], vocabulary: Vocabulary
) -> Int[np.ndarray, "n n"]:
    """Category of each pair of nodes as seen from the first, from the labels of the edges (1 or more)."""
    there = np.zeros((len(graph), len(graph)), dtype=np.int64)
    i, j = graph.pairs.T
    there[i, j] = kinds
    if not vocabulary.directed:
        there[j, i] = kinds
    ways = np.array(vocabulary.directions)
    category = np.full(ways.max(axis=0) + 1, -1)
    category[ways[:, 0], ways[:, 1]] = np.arange(len(ways))
    edges = category[there, there.T]
    if (edges < 0).any():
        i, j = np.argwhere(edges < 0)[0]
        raise RowError(
            f"edges in both directions between nodes {i} and {j}: the model does not know these together",
            "label",
        )
    return edges


def _spread(graph: LabelledGraph, values: Float[np.ndarray, "e p"]) -> Float[np.ndarray, "n n p"]:
    """Numbers of each pair of nodes as seen from the first: those of the edge to the other, then, in directed
    graphs, of that from it; NaN where there is none."""
    n = len(graph)
    there = np.full((n, n, values.shape[1]), np.nan, dtype=np.float32)
    i, j = graph.pairs.T
    there[i, j] = values
    if not graph.directed:
        there[j, i] = values
        return there
    return np.concatenate([there, there.transpose(1, 0, 2)], axis=2)


def _restored(values: Float[np.ndarray, "n q"], numbers: Sequence[Number]) -> dict[str, list[float]]:
    return {number.name: number.restore(values[:, column]).tolist() for column, number in enumerate(numbers)}


def _hashable(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_, int, np.integer, str))
