"""What the distances between the nodes of a graph tell of it.

Continuous-filter convolutions (SchNet, Schütt et al. 2018, doi:10.1063/1.5019779) that know the bonds too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.nn.mlp import NodeEmbedding

CUTOFF = 6.0
"""Pairs of nodes that are further apart, in Å, do not see each other."""
_GAUSSIANS = 40
_NEAREST = 0.8  # Å, centre of the first Gaussian


class _Pairs(NamedTuple):
    """Pairs of nodes, each once; nodes are numbered through the batch."""

    first: Int[Tensor, " p"]
    second: Int[Tensor, " p"]
    features: Float[Tensor, "p f"]
    fading: Float[Tensor, "p 1"]


class SpatialReadout(nn.Module):
    """A number for each graph, from its nodes, what they know, and how far apart they are; 0 before training.

    Distances are the same for a graph and its mirror image, and so is the number.

    Args:
        node_width: Channels of what a node knows.
        schema: What the graphs carry.
        width: Channels of a node within.
        pair_width: Channels of a pair.
        layers: Rounds of messages.
    """

    def __init__(
        self, node_width: int, schema: Schema, width: int = 128, pair_width: int = 64, layers: int = 4
    ) -> None:
        super().__init__()
        self.start = nn.Linear(node_width, width)
        self.embed = NodeEmbedding(schema.node_sizes, schema.numbers, width)
        self.radial = nn.Sequential(
            nn.Linear(_GAUSSIANS, pair_width), nn.SiLU(), nn.Linear(pair_width, pair_width)
        )
        self.bond = nn.Embedding(schema.edge_types, pair_width)
        self.layers = nn.ModuleList(_Convolution(width, pair_width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.attention = nn.Linear(width, width)
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 1))
        for parameter in self.head[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, nodes: Float[Tensor, "b m d"], batch: DenseBatch) -> Float[Tensor, " b"]:
        """Returns the numbers.

        Raises:
            ValueError: If the graphs have no positions.
        """
        pairs = self._pairs(batch)
        x = (self.start(nodes) + self.embed(batch.nodes, batch.numbers)).flatten(0, 1)
        for layer in self.layers:
            x = layer(x, pairs)
        x = self.norm(x).view(*batch.mask.shape, -1)
        weights = self.attention(x).masked_fill(~batch.mask.unsqueeze(2), -torch.inf).softmax(dim=1)
        total = (x * batch.mask.unsqueeze(2)).sum(1) / 8
        return self.head(torch.cat([total, (x * weights).sum(1)], dim=1)).squeeze(1)

    def _pairs(self, batch: DenseBatch) -> _Pairs:
        if batch.pos is None:
            raise ValueError("graphs without positions have no distances")
        near = torch.cdist(batch.pos, batch.pos, compute_mode="donot_use_mm_for_euclid_dist") < CUTOFF
        near &= batch.mask.unsqueeze(1) & batch.mask.unsqueeze(2)
        graph, i, j = near.triu(1).nonzero(as_tuple=True)
        distance = (batch.pos[graph, i] - batch.pos[graph, j]).norm(dim=1, keepdim=True)
        spacing = (CUTOFF - _NEAREST) / (_GAUSSIANS - 1)
        centres = _NEAREST + spacing * torch.arange(_GAUSSIANS, dtype=distance.dtype, device=distance.device)
        gaussians = torch.exp(-((distance - centres) / spacing).square() / 2)
        features = self.radial(gaussians) + self.bond(batch.edges[graph, i, j])
        fading = (torch.cos(math.pi / CUTOFF * distance) + 1) / 2
        start = graph * batch.mask.shape[1]
        return _Pairs(start + i, start + j, features, fading)


class _Convolution(nn.Module):
    """Messages between near nodes, weighted by how far apart they are, how they are bound, what both know."""

    def __init__(self, width: int, pair_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ends = nn.Linear(width, pair_width)
        self.mix = nn.Linear(pair_width, pair_width)
        self.filter = nn.Linear(pair_width, width)
        self.send = nn.Linear(width, width)
        self.update = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Float[Tensor, "n d"], pairs: _Pairs) -> Float[Tensor, "n d"]:
        normed = self.norm(x)
        ends, sent = self.ends(normed), self.send(normed)
        hidden = self.mix(pairs.features) + ends.index_select(0, pairs.first)
        hidden = nn.functional.silu(hidden + ends.index_select(0, pairs.second))
        weights = self.filter(hidden) * pairs.fading
        received = torch.zeros_like(x).index_add_(
            0, pairs.first, weights * sent.index_select(0, pairs.second)
        )
        received.index_add_(0, pairs.second, weights * sent.index_select(0, pairs.first))
        return x + self.update(torch.cat([normed, received], dim=1))
