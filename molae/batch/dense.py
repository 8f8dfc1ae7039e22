"""Graphs of one batch, padded to a common number of nodes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from molae.groups.permutation import inverse_index, take_nodes, take_pairs


class EdgeList(NamedTuple):
    """The edges of a batch one by one, each from both of its ends; in the order of graphs and first nodes.

    Attributes:
        graph: Graph of each edge.
        first: Node at one end.
        second: Node at the other.
        kind: Category, 1 or more.
    """

    graph: Int[Tensor, " e"]
    first: Int[Tensor, " e"]
    second: Int[Tensor, " e"]
    kind: Int[Tensor, " e"]


@dataclass(frozen=True)
class DenseBatch:
    """A batch of graphs padded to `m` nodes.

    Attributes:
        nodes: Category of each node in each channel; 0 at padding.
        edges: Category of each pair of nodes as seen from the first, 0 where there is no edge; symmetric
            where edges have no direction.
        mask: True at real nodes, False at padding. Real nodes come first.
        pos: Positions in Å, 0 at padding, or None for graphs without coordinates.
        slot: Canonical slot of each node: real nodes fill the slots 0 .. n-1, padding the rest,
            so that every row is a permutation of 0 .. m-1.
        mirror_slot: The same for the mirror image of the graph (see `molae.chem.order`).
        tie: Rank of each node among the nodes that the graph alone cannot tell from it, or None.
        targets: What is known of each graph, NaN where it is not, or None (see `Schema.targets`).
        numbers: Continuous attributes of the nodes in standard deviations, 0 at padding, or None.
        edge_numbers: Those of each pair of nodes as seen from the first, NaN where there is no edge, or None
            (see `Schema.edge_numbers`).
    """

    nodes: Int[Tensor, "b m k"]
    edges: Int[Tensor, "b m m"]
    mask: Bool[Tensor, "b m"]
    pos: Float[Tensor, "b m 3"] | None
    slot: Int[Tensor, "b m"]
    mirror_slot: Int[Tensor, "b m"]
    tie: Int[Tensor, "b m"] | None
    targets: Float[Tensor, "b t"] | None = None
    numbers: Float[Tensor, "b m q"] | None = None
    edge_numbers: Float[Tensor, "b m m p"] | None = None

    def __len__(self) -> int:
        return self.nodes.shape[0]

    @property
    def sizes(self) -> Int[Tensor, " b"]:
        """Number of real nodes of each graph."""
        return self.mask.sum(dim=1)

    @cached_property
    def edge_list(self) -> EdgeList:
        """The edges one by one: what is done to each of them is cheaper so than on the padded matrix."""
        graph, first, second = self.edges.nonzero(as_tuple=True)
        return EdgeList(graph, first, second, self.edges[graph, first, second])

    @cached_property
    def edge_features(self) -> Float[Tensor, "b m m p"] | None:
        """Continuous attributes of the pairs, 0 where there is no edge."""
        return None if self.edge_numbers is None else self.edge_numbers.nan_to_num(0.0)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> DenseBatch:
        """Moves the batch to a device; `dtype`, where given, is that of positions and numbers."""
        moved = {
            f.name: value.to(device) for f in fields(self) if (value := getattr(self, f.name)) is not None
        }
        for name in ("pos", "numbers", "edge_numbers"):
            if dtype is not None and name in moved:
                moved[name] = moved[name].to(dtype)
        return replace(self, **moved)

    def renumber(self, index: Int[Tensor, "b m"]) -> DenseBatch:
        """Takes node `index[b, i]` as the new node `i`; real nodes must stay ahead of padding."""
        rows = index.unsqueeze(-1)
        return DenseBatch(
            nodes=self.nodes.gather(1, rows.expand_as(self.nodes)),
            edges=take_pairs(self.edges, index),
            mask=self.mask.gather(1, index),
            pos=None if self.pos is None else self.pos.gather(1, rows.expand_as(self.pos)),
            slot=self.slot.gather(1, index),
            mirror_slot=self.mirror_slot.gather(1, index),
            tie=None if self.tie is None else self.tie.gather(1, index),
            targets=self.targets,
            numbers=None if self.numbers is None else take_nodes(self.numbers, index),
            edge_numbers=None if self.edge_numbers is None else take_pairs(self.edge_numbers, index),
        )

    def mirrored(self) -> DenseBatch:
        """The mirror images: positions negated, canonical slots and ranks of the two images exchanged."""
        if self.pos is None:
            raise ValueError("graphs without positions have no mirror image")
        # What lies at slot s of the one image lies at slot s of the other too, and has the rank of the one.
        tie = self.tie
        if tie is not None:
            tie = take_nodes(take_nodes(tie, inverse_index(self.slot)), self.mirror_slot)
        return replace(self, pos=-self.pos, slot=self.mirror_slot, mirror_slot=self.slot, tie=tie)
