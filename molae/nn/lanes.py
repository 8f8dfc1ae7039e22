"""Channels of a code that belong to one slot each: a way past the bottleneck's large matrices.

A map from all slots to the code with weights for each slot learns every slot anew. Here each slot writes to,
and is read from, a few channels of its own by maps that all slots share, so that every node of every graph
teaches them; what needs several slots at once is left to the maps beside them.
"""

from __future__ import annotations

import torch
from e3nn.o3 import Irrep, Irreps
from jaxtyping import Float
from torch import Tensor, nn

from molae.ops import full_precision


def split_summary(irreps: Irreps) -> tuple[int, Irreps]:
    """Parts the channels of a summary, an even block ahead of another one, from those that slots share."""
    even = [block.ir == Irrep("0e") for block in irreps[:2]]
    return (irreps[0].mul, irreps[1:]) if even == [True, True] else (0, irreps)


def lane_sizes(irreps: Irreps, slots: int) -> tuple[int, int]:
    """Even and odd channels of a code that each slot gets for its own; (0, 0) where there are too few."""
    _, irreps = split_summary(irreps)
    return irreps.count("0e") // slots, irreps.count("0o") // slots


class SlotWriter(nn.Module):
    """Writes each slot to its own channels of the even and of the odd part of a code.

    Args:
        width: Channels of a slot.
        irreps: Channels of the code, even ones first.
        slots: Most slots; channels that do not divide by them stay 0.
    """

    def __init__(self, width: int, irreps: Irreps, slots: int) -> None:
        super().__init__()
        self.sizes = (irreps.count("0e"), irreps.count("0o"))
        self.lanes = lane_sizes(irreps, slots)
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
        irreps: Channels of the code: a summary, which no slot reads, where there is one; even; odd ones.
        slots: Most slots.
    """

    def __init__(self, width: int, irreps: Irreps, slots: int) -> None:
        super().__init__()
        skipped, own = split_summary(irreps)
        self.sizes = (skipped, own.count("0e"), own.count("0o"))
        self.lanes = lane_sizes(irreps, slots)
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
