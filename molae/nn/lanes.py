"""Channels of a code that belong to one slot each: a way past the bottleneck's large matrices.

A map from all slots to the code with weights for each slot learns every slot anew. Here each slot writes to,
and is read from, a few channels of its own by maps that all slots share, so that every node of every graph
teaches them; what needs several slots at once is left to the maps beside them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.nn.channels import CodeChannels
from molae.ops import full_precision


class Lanes(NamedTuple):
    """Where in a code the channels of each slot are.

    Attributes:
        channels: Channels of the code; no slot has a part in the summary.
        slots: Most slots; channels that do not divide by them belong to none.
    """

    channels: CodeChannels
    slots: int

    @property
    def parts(self) -> tuple[int, int]:
        """Even and odd channels of a slot; (0, 0) where there are too few."""
        return self.channels.even // self.slots, self.channels.odd // self.slots

    @property
    def size(self) -> int:
        """Channels of a slot."""
        return sum(self.parts)

    def split(self, code: Float[Tensor, "b c"]) -> Float[Tensor, "b s l"]:
        """The lanes of all slots, filled or not."""
        parts = zip(code.split(list(self.channels), dim=1)[1:], self.parts, strict=True)
        own = [part[:, : self.slots * lane].unflatten(1, (self.slots, lane)) for part, lane in parts]
        return torch.cat(own, dim=2)

    def join(self, lanes: Float[Tensor, "b m l"]) -> Float[Tensor, "b c"]:
        """The code with these lanes of its first slots, and 0 elsewhere."""
        parts = zip(lanes.split(list(self.parts), dim=2), self.channels[1:], strict=True)
        joined = [nn.functional.pad(part.flatten(1), (0, size - part[0].numel())) for part, size in parts]
        return nn.functional.pad(torch.cat(joined, dim=1), (self.channels.summary, 0))


class SlotWriter(nn.Module):
    """Writes each slot to its own channels of the even and of the odd part of a code.

    Args:
        width: Channels of a slot.
        lanes: Where these channels are.
    """

    def __init__(self, width: int, lanes: Lanes) -> None:
        super().__init__()
        self.lanes = lanes
        self.map = nn.Linear(width, lanes.size, bias=False)

    @full_precision
    def slots(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b l"]:
        """What a slot writes, linear in what it holds."""
        # Not by a call of the module, which profilers cannot follow for a part of a parameter.
        return nn.functional.linear(x.to(self.map.weight.dtype), self.map.weight)

    def forward(self, x: Float[Tensor, "b m d"]) -> Float[Tensor, "b c"]:
        """Returns the code; slots that are all zero, as padding is, leave their channels 0."""
        return self.lanes.join(self.slots(x))


class SlotReader(nn.Module):
    """Reads each slot from its own channels of a code; the reverse of `SlotWriter`.

    Args:
        width: Channels of a slot.
        lanes: Where these channels are.
    """

    def __init__(self, width: int, lanes: Lanes) -> None:
        super().__init__()
        self.lanes = lanes
        self.map = nn.Linear(lanes.size, width, bias=False)
        self.place = nn.Parameter(0.1 * torch.randn(lanes.slots, width))

    @full_precision
    def forward(self, code: Float[Tensor, "b c"]) -> Float[Tensor, "b m d"]:
        """Returns all slots, filled or not."""
        return self.map(self.lanes.split(code).to(self.place.dtype)) + self.place


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
