"""Self-attention between the slots of a graph or the places of a sequence (Vaswani et al. 2017,
arXiv:1706.03762)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from molae.nn.mlp import ResidualBlock


class _Attention(nn.Module):
    """Attention, then a residual block, both with the norm first; the identity at the start of training.

    Args:
        width: Channels of a slot.
        heads: Attention heads; they must divide `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.block = ResidualBlock(width, expansion=4)

    def _parts(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "3 b h m c"]:
        """Queries, keys and values of all heads."""
        return self.project(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def _update(
        self, x: Float[Tensor, "b m d"], scores: Tensor, hidden: Tensor, values: Float[Tensor, "b h n c"]
    ) -> Float[Tensor, "b m d"]:
        weights = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(dim=-1)
        return self.block(x + self.out((weights @ values).transpose(1, 2).flatten(2)))


class AttentionLayer(_Attention):
    """Attention between the slots of a graph, then a residual block (see `_Attention`).

    Args:
        width: Channels of a slot.
        heads: Attention heads; they must divide `width`.
    """

    def forward(
        self,
        x: Float[Tensor, "b m d"],
        mask: Bool[Tensor, "b m"],
        bias: Float[Tensor, "b h m m"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Returns the updated slots; those outside of `mask` are not seen by the others.

        Args:
            x: Channels of the slots.
            mask: Slots that are seen.
            bias: What is added to the scores of each head, or None.
        """
        query, keys, values = self._parts(x)
        scores = _scores(query, keys)
        if bias is not None:
            scores = scores + bias
        return self._update(x, scores, ~mask[:, None, None, :], values)


class Past(NamedTuple):
    """Keys and values of the places that a layer has seen."""

    keys: Float[Tensor, "b h p c"]
    values: Float[Tensor, "b h p c"]


class CausalLayer(_Attention):
    """Attention of each place of a sequence to itself and those ahead, then a residual block."""

    def forward(
        self, x: Float[Tensor, "b m d"], bias: Float[Tensor, "b h m n"], past: Past | None = None
    ) -> tuple[Tensor, Past]:
        """Returns the updated places, and what places further on need to see of them and of the past.

        Args:
            x: Channels of the places.
            bias: What is added to the scores of each head, for these places and all that there are so far.
            past: What this gave for the places ahead of these, or None where there are none.
        """
        query, keys, values = self._parts(x)
        if past is not None:
            keys, values = torch.cat([past.keys, keys], dim=2), torch.cat([past.values, values], dim=2)
        place = torch.arange(keys.shape[2], device=x.device)
        behind = place > place[-query.shape[2] :, None]
        return self._update(x, _scores(query, keys) + bias, behind, values), Past(keys, values)


def _scores(query: Float[Tensor, "b h m c"], keys: Float[Tensor, "b h n c"]) -> Float[Tensor, "b h m n"]:
    # Written out: with so few slots the fused kernel is several times slower on a CPU, mostly backwards.
    return query @ keys.mT / query.shape[-1] ** 0.5
