"""Channels of a code that belong to one slot each: a way past the bottleneck's large matrices.

A map from all slots to the code with weights for each slot learns every slot anew. Here each slot writes to,
and is read from, a few channels of its own by maps that all slots share, so that every node of every graph
teaches them; what needs several slots at once is left to the maps beside them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.nn.channels import CodeChannels
from molae.ops import full_precision


def lane_sizes(channels: CodeChannels, slots: int) -> tuple[int, int]:
    """Even and odd channels of a code that each slot gets for its own; (0, 0) where there are too few."""
    return channels.even // slots, channels.odd // slots


class SlotWriter(nn.Module):
    """Writes each slot to its own channels of the even and of the odd part of a code.

    Args:
        width: Channels of a slot.
        channels: Channels of the code; no summary.
        slots: Most slots; channels that do not divide by them stay 0.
    """

    def __init__(self, width: int, channels: CodeChannels, slots: int) -> None:
        super().__init__()
        self.sizes = (channels.even, channels.odd)
        self.lanes = lane_sizes(channels, slots)
        self.map = nn.Linear(width, sum(self.lanes), bias=False)

    @full_precision
    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b c"]:
        """Returns the code; slots that are all zero, as padding is, leave their channels 0."""
        own = self.map(x.to(self.map.weight.dtype)).split(list(self.lanes), dim=2)
        parts = [
            nn.functional.pad(part.flatten(1), (0, size - part[0].numel()))
            for part, size in zip(own, self.sizes, strict=True)
        ]
        return torch.cat(parts, dim=1)


class SlotReader(nn.Module):
    """Reads each slot from its own channels of a code; the reverse of `SlotWriter`.

    Args:
        width: Channels of a slot.
        channels: Channels of the code; no slot reads the summary.
        slots: Most slots.
    """

    def __init__(self, width: int, channels: CodeChannels, slots: int) -> None:
        super().__init__()
        self.sizes = tuple(channels)
        self.lanes = lane_sizes(channels, slots)
        self.map = nn.Linear(sum(self.lanes), width, bias=False)
        self.place = nn.Parameter(0.1 * torch.randn(slots, width))

    @full_precision
    def forward(self, code: Float[Tensor, "b c"]) -> Float[Tensor, "b m d"]:
        """Returns all slots, filled or not."""
        slots = len(self.place)
        own = [
            part[:, : slots * lane].unflatten(1, (slots, lane))
            for part, lane in zip(code.split(list(self.sizes), dim=1)[1:], self.lanes, strict=True)
        ]
        return self.map(torch.cat(own, dim=2).to(self.place.dtype)) + self.place


class SlotCount(nn.Module):
    """Log-likelihood of every number of nodes, if each slot is filled or empty on its own account.

    Args:
        width: Channels of a slot.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.filled = nn.Linear(width, 1)

    @full_precision
    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b s"]:
        """Returns scores of 0 to m nodes; the filled slots are the first."""
        logit = self.filled(x.to(self.filled.weight.dtype)).squeeze(-1)
        filled, empty = nn.functional.logsigmoid(logit), nn.functional.logsigmoid(-logit)
        before = nn.functional.pad(filled.cumsum(1), (1, 0))
        behind = nn.functional.pad(empty.flip(1).cumsum(1).flip(1), (0, 1))
        return before + behind
