"""Residual perceptrons."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.ops import full_precision


class ResidualBlock(nn.Module):
    """x + W₂ gelu(W₁ norm(x)); the identity at the start of training.

    Args:
        width: Channels in and out.
        expansion: Hidden channels as a multiple of `width`.
    """

    def __init__(self, width: int, expansion: int = 2) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expansion * width)
        self.down = nn.Linear(expansion * width, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


def residual_mlp(size_in: int, width: int, depth: int, size_out: int) -> nn.Sequential:
    """Linear map, `depth` residual blocks, linear map: what is linear in the data passes unhindered."""
    blocks = [ResidualBlock(width) for _ in range(depth)]
    return nn.Sequential(nn.Linear(size_in, width), *blocks, nn.Linear(width, size_out))


class SlotLinear(nn.Module):
    """A linear map from all slots at once to one vector, each slot with weights of its own.

    Args:
        slots: Most slots; a batch may have fewer.
        size_in: Channels of a slot.
        size_out: Channels of the vector.
    """

    def __init__(self, slots: int, size_in: int, size_out: int) -> None:
        super().__init__()
        self.slots = slots
        full = nn.Linear(slots * size_in, size_out)
        self.weight, self.bias = full.weight, full.bias

    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b w"]:
        if not torch.is_grad_enabled():
            return nn.functional.linear(x.flatten(1), self.weight[:, : x[0].numel()], self.bias)
        # Padding the slots is cheaper than cutting the weights, whose gradient would have to be padded.
        padded = nn.functional.pad(x, (0, 0, 0, self.slots - x.shape[1]))
        return nn.functional.linear(padded.flatten(1), self.weight, self.bias)


class SlotExpand(nn.Module):
    """The other way: from one vector to the first slots, each with weights of its own.

    Args:
        slots: Most slots.
        size_in: Channels of the vector.
        size_out: Channels of a slot.
    """

    def __init__(self, slots: int, size_in: int, size_out: int) -> None:
        super().__init__()
        self.size_out = size_out
        full = nn.Linear(size_in, slots * size_out)
        self.weight, self.bias = full.weight, full.bias

    def forward(self, x: Float[Tensor, "b w"], slots: int) -> Float[Tensor, "b m d"]:
        return nn.functional.linear(x, self.weight, self.bias).unflatten(1, (-1, self.size_out))[:, :slots]


class NodeEmbedding(nn.Module):
    """What a node carries: the sum of the embeddings of its categories, and a linear map of its numbers.

    Args:
        sizes: Number of categories of each channel.
        numbers: Number of continuous attributes.
        width: Channels of the embedding.
    """

    starts: Tensor

    def __init__(self, sizes: tuple[int, ...], numbers: int, width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        starts = torch.tensor([0, *sizes]).cumsum(0)[:-1]
        self.register_buffer("starts", starts, persistent=False)
        self.weigh = nn.Linear(numbers, width, bias=False) if numbers else None

    def forward(
        self, categories: Int[Tensor, "*b k"], numbers: Float[Tensor, "*b q"] | None
    ) -> Float[Tensor, "*b d"]:
        # All tables as one, summed as they are read: nothing is held for each channel.
        table = torch.cat(list(self.tables.parameters()))
        rows = (categories + self.starts).flatten(0, -2)
        found = nn.functional.embedding_bag(rows, table, mode="sum").unflatten(0, categories.shape[:-1])
        return found if self.weigh is None else found + self._weighed(numbers, self.weigh)

    @full_precision
    def _weighed(self, numbers: Tensor | None, weigh: nn.Linear) -> Float[Tensor, "*b d"]:
        if numbers is None:
            raise ValueError("this model needs graphs with continuous attributes of their nodes")
        return weigh(numbers.to(weigh.weight.dtype))
