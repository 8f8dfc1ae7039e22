"""What can be asked of the group element that an encoder finds: a permutation, a frame that is determined."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molae.batch.dense import DenseBatch
from molae.groups.action import GroupAction
from molae.testing.report import ContractViolation

#: Degeneracy above which a frame counts as determined: rounding over this stays below the tolerance.
DETERMINED = {torch.float64: 1e-6, torch.float32: 1e-2}


def frame_determined(action: GroupAction, batch: DenseBatch) -> Bool[Tensor, " b"]:
    """Tells for each graph whether its frame is determined, up to symmetries of the graph.

    It is where the degeneracy says so, or where the encoder gives none; or where all of the graph lies on one
    line through the origin of its frame in the plane of the first two axes, as linear molecules and single
    atoms do, for which every completion is as good.
    """
    figure = action.diagnostics.get("degeneracy")
    if figure is None:
        return torch.ones(len(batch), dtype=torch.bool)
    rotation, translation = rigid_motion(action)
    framed = (positions_of(batch) - translation.unsqueeze(1)) @ rotation
    framed = framed * batch.mask.unsqueeze(-1)
    precise = torch.finfo(framed.dtype).eps ** 0.5
    flat = framed[..., 2].abs().amax(1) < precise
    across = torch.linalg.svdvals(framed)[:, 1:].amax(1)
    return (figure > DETERMINED[framed.dtype]) | (flat & (across < precise))


def require_permutation(permutation: Tensor, mask: Bool[Tensor, "b m"], names: Mapping[str, object]) -> None:
    """Raises unless the real nodes of each graph share its slots 0 .. n-1 and padding the rest."""
    if permutation.ndim != 2 or permutation.is_floating_point():
        raise ContractViolation(
            f"the permutation at evaluation must be indices of shape (b, m), got {permutation.dtype} of "
            f"shape {tuple(permutation.shape)}: is it soft?"
        )
    every = torch.arange(mask.shape[1]).expand_as(mask)
    valid = (permutation.sort(1).values == every).all(1) & ((permutation < mask.sum(1, True)) == mask).all(1)
    if not bool(valid.all()):
        bad = [name for name, ok in zip(names, valid.tolist(), strict=True) if not ok]
        raise ContractViolation(f"not a permutation of the slots 0 .. n-1: {', '.join(bad)}")


def rigid_motion(action: GroupAction) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 3"]]:
    """The rotation and translation of an action; raises where it has none."""
    if action.rotation is None or action.translation is None:
        raise ContractViolation("the action of a graph with positions has no rotation or no translation")
    return action.rotation, action.translation


def positions_of(batch: DenseBatch) -> Float[Tensor, "b m 3"]:
    """The positions of a batch, which must have some."""
    if batch.pos is None:
        raise ValueError("these assertions are for graphs with positions")
    return batch.pos
