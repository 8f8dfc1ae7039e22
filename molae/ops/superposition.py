"""How far two structures are from each other after the best rigid motion."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molae.ops.precision import full_precision


@full_precision
def superposed_deviation(
    source: Float[Tensor, "b m 3"], target: Float[Tensor, "b m 3"], mask: Bool[Tensor, "b m"]
) -> Float[Tensor, " b"]:
    """Mean squared deviations of positions after the best proper rigid motion.

    With singular values s1 ≥ s2 ≥ s3 of the covariance and the sign d of its determinant, n times the
    deviation is |x|² + |y|² - 2 (s1 + s2 + d s3) (Kabsch 1978, doi:10.1107/S0567739478001680). The gradient
    needs no differences of singular values and is finite for symmetric structures too.

    Args:
        source: Positions.
        target: Positions in the same order.
        mask: True at real nodes.
    Returns:
        Mean squared deviations, in the square of the unit of the positions.
    """
    weights = mask.unsqueeze(-1).to(source.dtype)
    count = weights.sum(1, keepdim=True).clamp(min=1)
    x, y = (weights * (pos - (pos * weights).sum(1, keepdim=True) / count) for pos in (source, target))
    covariance = x.mT @ y
    values = torch.linalg.svdvals(covariance)
    handed = torch.linalg.det(covariance.detach()).sign()
    overlap = values[:, 0] + values[:, 1] + handed * values[:, 2]
    squares = x.square().sum((1, 2)) + y.square().sum((1, 2)) - 2 * overlap
    # Rounding can leave a tiny negative number for identical structures.
    return squares.clamp(min=0) / count.flatten()
