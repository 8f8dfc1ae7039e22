"""Which labels the nodes and edges of a data set have, and how a model numbers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from molae.errors import DataError
from molae.graphs.labelled import LabelledGraph
from molae.registry import Config, nearest

#: What may be a label.
Label = int | str

MOST_LABELS = 255
"""Most different labels of one attribute; packed data sets hold a category in a byte."""


class Vocabulary(Config):
    """Attributes of the nodes and edges of graphs, with all labels of each; a label's category is its place.

    Attributes:
        nodes: Name and labels of each attribute of the nodes that a model reads; with none, nodes are alike.
        edges: Name and labels of the attribute of the edges, or None if edges are alike.
    """

    nodes: tuple[tuple[str, tuple[Label, ...]], ...] = ()
    edges: tuple[str, tuple[Label, ...]] | None = None

    @property
    def node_channels(self) -> tuple[tuple[str, int], ...]:
        """Names and sizes of the node channels, as `molae.batch.schema.Schema` takes them."""
        channels = tuple((name, len(labels)) for name, labels in self.nodes)
        return channels or (("node", 1),)

    @property
    def edge_types(self) -> int:
        """Number of edge categories, category 0 meaning that there is no edge."""
        return 1 + (len(self.edges[1]) if self.edges else 1)


def collect_vocabulary(
    graphs: Iterable[LabelledGraph],
    node_attributes: Sequence[str] | None = None,
    edge_attribute: str | None = None,
) -> Vocabulary:
    """Finds the attributes of graphs, and the labels that each has.

    Args:
        graphs: The graphs.
        node_attributes: Attributes of the nodes that count; None for all that there are.
        edge_attribute: Attribute of the edges that counts; None for the one that there is, if any.
    Returns:
        The vocabulary, labels in sorted order.
    Raises:
        DataError: If an attribute is missing or holds what is no category, or the edges have several.
    """
    nodes: dict[str, set[Label]] = {}
    edges: dict[str, set[Label]] = {}
    there: dict[str, None] = {}
    wanted = None if edge_attribute is None else [edge_attribute]
    for graph in graphs:
        there |= dict.fromkeys([*graph.node_labels, *graph.edge_labels])
        _add_labels(nodes, graph.node_labels, node_attributes, "node attribute", "node_attributes")
        _add_labels(edges, graph.edge_labels, wanted, "edge attribute", "edge_attribute")
    if len(edges) > 1:
        raise DataError(f"edges have the attributes {', '.join(sorted(edges))}: name one as edge_attribute")
    for name in [*set(node_attributes or ()) - set(nodes), *set(wanted or ()) - set(edges)]:
        raise DataError(f"there is no attribute {name!r}: {nearest(name, list(there))}")
    chosen = [
        (name, _sorted(nodes[name], name))
        for name in (node_attributes if node_attributes is not None else sorted(nodes))
    ]
    edge = next(((name, _sorted(labels, name)) for name, labels in edges.items()), None)
    return Vocabulary(nodes=tuple(chosen), edges=edge)


def _add_labels(
    found: dict[str, set[Label]],
    attributes: Mapping[str, Sequence[Any]],
    wanted: Sequence[str] | None,
    kind: str,
    option: str,
) -> None:
    for name, values in attributes.items():
        if wanted is None or name in wanted:
            found.setdefault(name, set()).update(_plain(value, name, kind, option) for value in values)


def _plain(value: Any, name: str, kind: str, option: str) -> Label:
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return int(value)
    if isinstance(value, str):
        return str(value)
    raise DataError(
        f"{kind} {name!r} holds {value!r} ({type(value).__name__}): only integers and text can be"
        f" categories; leave it out, or name the others with {option}"
    )


def _sorted(labels: set[Label], name: str) -> tuple[Label, ...]:
    if len(labels) > MOST_LABELS:
        raise DataError(f"attribute {name!r} has {len(labels)} labels, at most {MOST_LABELS} can be held")
    return tuple(sorted(labels, key=lambda label: (isinstance(label, str), label)))
