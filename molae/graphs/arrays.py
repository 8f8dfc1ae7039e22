"""From labels to the arrays that a model reads, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from molae.errors import RowError
from molae.graphs.labelled import LabelledGraph
from molae.graphs.order import order_nodes
from molae.graphs.vocabulary import Label, Vocabulary
from molae.types import Graph


def encode(graph: LabelledGraph, vocabulary: Vocabulary, max_nodes: int) -> Graph:
    """Turns labels into categories, and adds the canonical order.

    Args:
        graph: The graph.
        vocabulary: The labels that the model knows. Attributes that are not in it are left out.
        max_nodes: Most nodes that the model takes.
    Returns:
        The graph in arrays, without positions.
    Raises:
        RowError: `too_large`; `no_label`, if nodes or edges lack an attribute; `label`, for a label that is
            not in the vocabulary.
    """
    if len(graph) > max_nodes:
        raise RowError(f"{len(graph)} nodes, the model takes at most {max_nodes}", "too_large")
    channels = [
        _categories(graph.node_labels, name, labels, "node") for name, labels in vocabulary.nodes
    ] or [np.zeros(len(graph), dtype=np.int64)]
    nodes = np.stack(channels, axis=1)
    edges = np.zeros((len(graph), len(graph)), dtype=np.int64)
    i, j = graph.pairs.T
    kinds: Any = 1
    if vocabulary.edges is not None and len(graph.pairs):
        kinds = 1 + _categories(graph.edge_labels, *vocabulary.edges, "edge")
    edges[i, j] = edges[j, i] = kinds
    slot, tie = order_nodes(nodes, edges)
    return Graph(nodes, edges, None, slot, slot, tie)


def decode(
    nodes: Int[np.ndarray, "n k"], edges: Int[np.ndarray, "n n"], vocabulary: Vocabulary
) -> LabelledGraph:
    """Turns categories back into labels; the reverse of `encode`."""
    pairs = np.argwhere(np.triu(edges, 1))
    node_labels = {
        name: [labels[category] for category in nodes[:, channel]]
        for channel, (name, labels) in enumerate(vocabulary.nodes)
    }
    edge_labels = {}
    if vocabulary.edges is not None:
        name, labels = vocabulary.edges
        edge_labels[name] = [labels[edges[i, j] - 1] for i, j in pairs]
    return LabelledGraph(len(nodes), pairs, node_labels, edge_labels)


def _categories(
    attributes: Mapping[str, Sequence[Any]], name: str, labels: Sequence[Label], kind: str
) -> Int[np.ndarray, " n"]:
    if name not in attributes:
        raise RowError(f"the {kind}s have no attribute {name!r}, which the model reads", "no_label")
    known = {label: category for category, label in enumerate(labels)}
    found = [known.get(value) if _hashable(value) else None for value in attributes[name]]
    if None in found:
        value = attributes[name][found.index(None)]
        raise RowError(
            f"{kind} attribute {name!r} is {value!r}, a label that the model does not know", "label"
        )
    return np.array(found, dtype=np.int64)


def _hashable(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_, int, np.integer, str))
