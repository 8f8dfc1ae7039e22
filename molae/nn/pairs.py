"""What a pair of slots can tell from their contents and from how far apart they are in the order.

Bonds join near neighbours in the order more often than not, and alike wherever in the order they are. What is
learned of an offset is therefore shared by all pairs that lie so far apart.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

_CHANNELS = 32


def _offsets(table: Float[Tensor, "o t d"], slots: int) -> Float[Tensor, "m m t d"]:
    """Rows of a table for each pair of slots, by how far the second lies behind the first."""
    places = torch.arange(slots, device=table.device)
    return table[places.unsqueeze(0) - places.unsqueeze(1) + len(table) // 2]


class OffsetEmbedding(nn.Module):
    """Embeds the kind of the edge from one slot to another by their offset.

    Args:
        slots: Most slots.
        edge_types: Number of edge categories.
        width: Channels of a slot.
    """

    def __init__(self, slots: int, edge_types: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.1 * torch.randn(2 * slots - 1, edge_types, width))

    def forward(self, slots: int) -> Float[Tensor, "m m t d"]:
        """Returns an embedding for each kind of edge of each pair of the first slots."""
        return _offsets(self.table, slots)


class OffsetScores(nn.Module):
    """Scores of the edge categories of each pair, read from both slots by their offset; the reverse of
    `OffsetEmbedding`, the same for (i, j) and (j, i).

    Args:
        slots: Most slots.
        edge_types: Number of edge categories.
        width: Channels of a slot.
    """

    def __init__(self, slots: int, edge_types: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, _CHANNELS)
        self.table = nn.Parameter(torch.randn(2 * slots - 1, edge_types, _CHANNELS) / _CHANNELS)

    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b m m t"]:
        slots = self.project(x)
        rows = _offsets(self.table, x.shape[1]).to(slots.dtype)
        scores = torch.einsum("bid,ijtd->bijt", slots, rows)
        return scores + scores.transpose(1, 2)


class PairProducts(nn.Module):
    """Scalar products of two slots, the same for (i, j) and (j, i): whether they match, wherever they are.

    Args:
        width: Channels of a slot.
        heads: Scalar products of a pair.
        pair_width: Channels of the pair.
    """

    def __init__(self, width: int, heads: int, pair_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.ends = nn.Linear(width, heads * _CHANNELS)
        self.mix = nn.Linear(heads, pair_width, bias=False)

    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b m m p"]:
        left, right = self.ends(x).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        scores = left @ right.mT / left.shape[-1] ** 0.5
        return self.mix((scores + scores.mT).permute(0, 2, 3, 1))
