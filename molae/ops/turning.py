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
    """Turns what lies behind each bond about it, bond after bond (Rodrigues).

    No turn changes the torsion angle of another bond, so their order does not matter up to a rigid motion.

    Args:
        pos: Positions.
        bonds: Both ends of each bond; any two nodes where there is none, with an angle of 0.
        moved: Whether a node lies behind the second end of a bond.
        angles: By how much to turn, in radians, clockwise when seen along the bond.
    Returns:
        The new positions.
    """
    ends = bonds.unsqueeze(-1).expand(-1, -1, -1, 3)
    sine, cosine = angles.sin(), angles.cos()
    for place in range(bonds.shape[1]):
        begin, end = pos.gather(1, ends[:, place]).unsqueeze(2).unbind(1)
        axis = safe_normalise(end - begin)
        away = pos - end
        s, c = sine[:, place, None, None], cosine[:, place, None, None]
        along = axis * (axis * away).sum(-1, keepdim=True)
        turned = away * c + torch.linalg.cross(axis.expand_as(away), away) * s + along * (1 - c)
        pos = torch.where(moved[:, place].unsqueeze(-1), end + turned, pos)
    return pos
