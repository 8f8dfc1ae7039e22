"""Lanes that are a sum of what their node and its edges bring.

Where nothing but sums stands between a graph in canonical order and the lanes of its code, what a code should
be for any graph is told by tables, without the network.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molae.nn.lanes import Lanes


class LinearLanes(NamedTuple):
    """The lanes of slot i are `place[i]`, and `node[k][c]` for the category c of its node in channel k, and
    `pair[i, j, t]` for the category t of each pair (i, j) of nodes, no edge among them.

    Attributes:
        lanes: Where in a code the lanes are.
        node: Table of each channel.
        place: Table of the slots.
        pair: Table of the pairs of slots.
    """

    lanes: Lanes
    node: tuple[Float[Tensor, "c l"], ...]
    place: Float[Tensor, "s l"]
    pair: Float[Tensor, "s s t l"]

    def of(
        self, nodes: Int[Tensor, "b m k"], edges: Int[Tensor, "b m m"], sizes: Int[Tensor, " b"]
    ) -> Float[Tensor, "b m l"]:
        """The lanes of graphs whose nodes are in the order of the slots; 0 in empty slots.

        Args:
            nodes: Categories of the nodes.
            edges: Categories of the pairs, as seen from the first.
            sizes: Number of nodes.
        """
        place = torch.arange(nodes.shape[1], device=nodes.device)
        filled = (place < sizes.unsqueeze(1)).unsqueeze(2)
        own = sum(table[nodes[..., channel]] for channel, table in enumerate(self.node))
        found = self.pair[place.unsqueeze(1), place, edges]
        return filled * (self.place[place] + own + (found * filled.unsqueeze(1)).sum(2))

    def bare(self, sizes: Int[Tensor, " b"]) -> Float[Tensor, "b s l"]:
        """What slots write in graphs without edges whatever their nodes are; 0 in empty slots."""
        slots = torch.arange(len(self.place), device=sizes.device)
        filled = (slots < sizes.unsqueeze(1)).unsqueeze(2)
        none = torch.nn.functional.pad(self.pair[:, :, 0].cumsum(1), (0, 0, 1, 0))
        return filled * (self.place + none[slots, sizes.unsqueeze(1)])
