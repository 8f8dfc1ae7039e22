"""Root mean square deviations over many atom orders at once, as posed and after superposition."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def rmsd_as_posed(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"], orders: Int[np.ndarray, "a n"]
) -> float:
    """Smallest RMSD between `source[order]` and `target` as they lie.

    Args:
        source: Positions, in Å.
        target: Positions, in Å.
        orders: Orders in which `source` may be read.
    Returns:
        RMSD, in Å.
    """
    squares = ((source[orders] - target) ** 2).sum(axis=(1, 2))
    return float(np.sqrt(squares.min() / len(target)))


def rmsd_superposed(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"], orders: Int[np.ndarray, "a n"]
) -> float:
    """Smallest RMSD between `source[order]` and `target` after the best proper rigid motion.

    For each order, with singular values s1 ≥ s2 ≥ s3 and the sign d of the determinant of the covariance,
    n RMSD² = |x|² + |y|² - 2 (s1 + s2 + d s3) (Kabsch 1978, doi:10.1107/S0567739478001680).

    Args:
        source: Positions, in Å.
        target: Positions, in Å.
        orders: Orders in which `source` may be read.
    Returns:
        RMSD, in Å.
    """
    source = source - source.mean(axis=0)
    target = target - target.mean(axis=0)
    covariance = np.swapaxes(source[orders], 1, 2) @ target
    singular = np.linalg.svd(covariance, compute_uv=False)
    # A mirror image is no rigid motion: where the best orthogonal matrix reflects, s3 counts against.
    handed = np.sign(np.linalg.det(covariance))
    overlap = singular[:, 0] + singular[:, 1] + handed * singular[:, 2]
    squares = (source**2).sum() + (target**2).sum() - 2 * overlap.max()
    # Rounding can leave a tiny negative number for identical positions.
    return float(np.sqrt(max(squares, 0.0) / len(target)))
