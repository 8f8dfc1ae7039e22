"""What the nodes and edges of a model's graphs carry."""

from __future__ import annotations

from molae.graphs.vocabulary import Vocabulary
from molae.registry import Config


class Schema(Config):
    """Names and sizes of the categorical channels of a graph.

    Attributes:
        node_channels: Name and number of categories of each node channel, in order.
        edge_types: Number of edge categories, category 0 meaning that there is no edge.
        max_nodes: Most nodes that a graph may have.
        coordinates: Whether nodes carry positions, in Å.
        hydrogens: Whether the hydrogens of a molecule are nodes, not counts on the atoms that bear them.
        targets: Names of what is known of the whole graph, as an aim of training; no part of the input.
        labels: What the categories stand for, where the graphs are no molecules; else None.
    """

    node_channels: tuple[tuple[str, int], ...]
    edge_types: int
    max_nodes: int
    coordinates: bool = True
    hydrogens: bool = False
    targets: tuple[str, ...] = ()
    labels: Vocabulary | None = None

    @property
    def node_sizes(self) -> tuple[int, ...]:
        """Number of categories of each node channel."""
        return tuple(size for _, size in self.node_channels)
