"""What the nodes and edges of a model's graphs carry."""

from __future__ import annotations

from typing import NamedTuple

from molae.graphs.vocabulary import Vocabulary
from molae.registry import Config


class PairReversal(NamedTuple):
    """What a pair of nodes looks like from its other node: two permutations, each its own inverse.

    Attributes:
        categories: For each category, that seen from the other node.
        numbers: For each continuous attribute, the place of that seen from the other node.
    """

    categories: tuple[int, ...]
    numbers: tuple[int, ...]


class Schema(Config):
    """Names and sizes of what the nodes and edges of a graph carry.

    Attributes:
        node_channels: Name and number of categories of each node channel, in order.
        edge_types: Number of categories of a pair of nodes, category 0 meaning that there is no edge.
        max_nodes: Most nodes that a graph may have.
        coordinates: Whether nodes carry positions, in Å.
        hydrogens: Whether the hydrogens of a molecule are nodes, not counts on the atoms that bear them.
        targets: Names of what is known of the whole graph, as an aim of training; no part of the input.
        labels: What the categories stand for, which continuous attributes there are and whether edges have
            directions, where the graphs are no molecules; else None.
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

    @property
    def numbers(self) -> int:
        """Number of continuous attributes of a node."""
        return len(self.labels.node_numbers) if self.labels else 0

    @property
    def edge_numbers(self) -> int:
        """Number of continuous attributes of a pair of nodes as seen from the first: those of the edge to the
        other and then, in directed graphs, as many of that from it."""
        return len(self.labels.edge_numbers) * (1 + self.labels.directed) if self.labels else 0

    @property
    def reversed_pair(self) -> PairReversal | None:
        """How a pair looks from its other node, or None where edges have no direction and it looks alike."""
        if self.labels is None or not self.labels.directed:
            return None
        half = self.edge_numbers // 2
        return PairReversal(self.labels.reversed_edges, (*range(half, self.edge_numbers), *range(half)))
