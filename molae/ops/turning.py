"""Turning parts of structures about bonds."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from molae.ops.norms import safe_normalise


def turn_bonds(
    pos: Float[Tensor, "b m 3"],
    bonds: Int[Tensor, "b t 2"],
    moved: Bool[Tensor, "b t m"],
    angles: Float[Tensor, "b t"],
) -> Float[Tensor, "b m 3"]:
    """Turns what lies behind each bond about it, all bonds at once.

    Smaller parts turn first. What lies behind a bond has then not been moved when its turn comes, so that the
    axes of all bonds are those before any turn.

    Args:
        pos: Positions.
        bonds: Both ends of each bond, a row for each structure, or one row for all; any two nodes where there
            is none, with an angle of 0.
        moved: Whether a node lies behind the second end of a bond, likewise. What lies behind two bonds is
            disjoint, or one part holds the other, as it is with the smaller of the parts that a bond joins.
        angles: By how much to turn, in radians, clockwise when seen along the bond.
    Returns:
        The new positions.
    """
    order = moved.sum(2).argsort(1)
    ends = bonds.take_along_dim(order.unsqueeze(-1), 1).flatten(1).unsqueeze(-1).expand(len(pos), -1, 3)
    begin, end = pos.gather(1, ends).unflatten(1, (-1, 2)).unbind(2)
    turns = _turns(safe_normalise(end - begin), angles.take_along_dim(order, 1))
    shifts = end - (turns.mT @ end.unsqueeze(-1)).squeeze(-1)
    behind = moved.take_along_dim(order.unsqueeze(-1), 1).unsqueeze(-1)
    for turn, shift, part in zip(
        turns.unbind(1), shifts.unsqueeze(2).unbind(1), behind.unbind(1), strict=True
    ):
        pos = torch.where(part, torch.baddbmm(shift, pos, turn), pos)
    return pos


def _turns(axes: Float[Tensor, "b t 3"], angles: Float[Tensor, "b t"]) -> Float[Tensor, "b t 3 3"]:
    """Matrices that turn rows of positions about axes through the origin (Rodrigues)."""
    sine, cosine = angles.sin().unsqueeze(-1), angles.cos().unsqueeze(-1)
    x, y, z = (sine * axes).unbind(-1)
    zero = torch.zeros_like(x)
    across = torch.stack([zero, z, -y, -z, zero, x, y, -x, zero], dim=-1).unflatten(-1, (3, 3))
    along = (1 - cosine).unsqueeze(-1) * axes.unsqueeze(-1) * axes.unsqueeze(-2)
    return along + across + cosine.unsqueeze(-1) * torch.eye(3, dtype=axes.dtype, device=axes.device)
