"""What a pair of slots can tell from their contents and from how far apart they are in the order.

Bonds join near neighbours in the order more often than not, and alike wherever in the order they are. What is
learned of an offset is therefore shared by all pairs that lie so far apart.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.batch.dense import EdgeList

_CHANNELS = 32


def pair_table(table: Float[Tensor, "o t d"], slots: int) -> Float[Tensor, "m m t d"]:
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
        return pair_table(self.table, slots)


def sum_over_edges(
    by_slot: Float[Tensor, "s t d"],
    by_offset: Float[Tensor, "o t d"],
    slot: Int[Tensor, "b m"],
    edges: EdgeList,
    sizes: Int[Tensor, " b"],
) -> Float[Tensor, "b m d"]:
    """Sums, at each node, the embeddings of its edges to all nodes, category 0 among them.

    Most pairs share no edge. So it is first taken for granted that none does, which is a difference of
    running sums; then each edge brings what makes it different.

    Args:
        by_slot: Embedding of each category by the slot of the other node.
        by_offset: The same by how far that slot lies behind that of the node; the middle row is offset 0.
        slot: Slot of each node; nodes fill the first slots.
        edges: Edges of the graphs.
        sizes: Number of nodes of each graph.
    """
    middle = len(by_offset) // 2
    none_by_slot, none_by_offset = _running_sum(by_slot[:, 0]), _running_sum(by_offset[:, 0])
    start = middle - slot
    none = (
        none_by_slot[sizes].unsqueeze(1) + none_by_offset[start + sizes.unsqueeze(1)] - none_by_offset[start]
    )
    table = torch.cat([(part - part[:, :1]).flatten(0, 1) for part in (by_slot, by_offset)])
    node, other = edges.graph * slot.shape[1] + edges.first, slot[edges.graph, edges.second]
    offset = other - slot.flatten()[node] + middle
    rows = torch.stack([other, len(by_slot) + offset], dim=1) * by_slot.shape[1] + edges.kind.unsqueeze(1)
    # In the order of the slots, so that the numbering of the nodes does not even change how a sum is rounded.
    rows = rows[(node * slot.shape[1] + other).argsort()]
    count = 2 * torch.bincount(node, minlength=slot.numel())
    found = nn.functional.embedding_bag(rows.flatten(), table, count.cumsum(0) - count, mode="sum")
    return none + found.view_as(none)


def _running_sum(values: Float[Tensor, "n d"]) -> Float[Tensor, "n+1 d"]:
    """Sums of the first 0, 1, 2, ... rows."""
    return nn.functional.pad(values.cumsum(0), (0, 0, 1, 0))


class OtherEnd(nn.Module):
    """Scores of pairs as seen from the other slot, so that what is told of (i, j) and of (j, i) can be added.

    Args:
        back: Place of each score as seen from the other slot; None where a pair looks alike from both.
    """

    back: Tensor | None

    def __init__(self, back: tuple[int, ...] | None) -> None:
        super().__init__()
        index = None if back is None else torch.tensor(back)
        self.register_buffer("back", index, persistent=False)

    def forward(self, scores: Float[Tensor, "*b m m t"]) -> Float[Tensor, "*b m m t"]:
        swapped = scores.transpose(-3, -2)
        return swapped if self.back is None else swapped.index_select(-1, self.back)


class OffsetScores(nn.Module):
    """Scores of the edge categories of each pair, read from both slots by their offset; the reverse of
    `OffsetEmbedding`. What is said of (i, j) and (j, i) is the same.

    Args:
        slots: Most slots.
        edge_types: Number of edge categories.
        width: Channels of a slot.
        back: As for `OtherEnd`.
    """

    def __init__(self, slots: int, edge_types: int, width: int, back: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.other = OtherEnd(back)
        self.project = nn.Linear(width, _CHANNELS)
        self.table = nn.Parameter(torch.randn(2 * slots - 1, edge_types, _CHANNELS) / _CHANNELS)

    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b m m t"]:
        slots = self.project(x)
        rows = pair_table(self.table, x.shape[1]).to(slots.dtype)
        scores = torch.einsum("bid,ijtd->bijt", slots, rows)
        return scores + self.other(scores)


class PairProducts(nn.Module):
    """Scalar products of two slots: whether they match, wherever they are.

    Args:
        width: Channels of a slot.
        heads: Scalar products of a pair.
        pair_width: Channels of the pair.
        directed: Whether (i, j) and (j, i) may differ.
    """

    def __init__(self, width: int, heads: int, pair_width: int, directed: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.directed = directed
        self.ends = nn.Linear(width, heads * _CHANNELS)
        self.mix = nn.Linear(heads, pair_width, bias=False)

    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b m m p"]:
        left, right = self.ends(x).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        scores = left @ right.mT / left.shape[-1] ** 0.5
        return self.mix((scores if self.directed else scores + scores.mT).permute(0, 2, 3, 1))
