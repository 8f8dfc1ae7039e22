"""Self-attention between the slots of a graph (Vaswani et al. 2017, arXiv:1706.03762)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from molae.nn.mlp import ResidualBlock


class AttentionLayer(nn.Module):
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
        query, key, value = (
            self.project(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        # Written out: with so few slots the fused kernel is several times slower on a CPU, mostly backwards.
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if bias is not None:
            scores = scores + bias
        weights = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min).softmax(dim=-1)
        return self.block(x + self.out((weights @ value).transpose(1, 2).flatten(2)))
