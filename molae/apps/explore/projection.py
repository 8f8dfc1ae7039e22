"""Codes brought down to two numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

from molae.errors import ConfigError, DataError

Projection = Literal["pca", "umap"]

# UMAP's own default; with fewer molecules it looks at all of them.
_NEIGHBOURS = 15


def project(
    codes: Float[np.ndarray, "n d"], projection: Projection = "pca", seed: int = 0
) -> tuple[Float[np.ndarray, "n 2"], tuple[str, str]]:
    """Brings codes down to a plane.

    Args:
        codes: The codes, finite.
        projection: `pca`, the two directions along which they differ most, or `umap`, which keeps neighbours
            together and lets distances go (McInnes, Healy, Melville 2018).
        seed: Seed of UMAP.
    Returns:
        The points, and the titles of the axes.
    Raises:
        ConfigError: If there is no such projection, or umap-learn is not installed.
        DataError: If there are too few codes for UMAP.
    """
    if projection == "pca":
        return _pca(codes)
    if projection == "umap":
        return _umap(codes, seed), ("UMAP 1", "UMAP 2")
    raise ConfigError(f"projection: expected pca or umap, got {projection!r}")


def _pca(codes: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    from sklearn.decomposition import PCA

    count = min(2, *codes.shape)
    points = np.zeros((len(codes), 2))
    shares = np.zeros(2)
    if np.ptp(codes, axis=0).any():
        found = PCA(count, svd_solver="full" if min(codes.shape) < 500 else "covariance_eigh")
        points[:, :count] = found.fit_transform(codes.astype(np.float64))
        shares[:count] = found.explained_variance_ratio_
    one, two = (f"component {number} ({share:.0%} of variance)" for number, share in enumerate(shares, 1))
    return points, (one, two)


def _umap(codes: np.ndarray, seed: int) -> np.ndarray:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ConfigError(
            'this projection needs umap-learn: pip install "molae[umap]"; or take --projection pca'
        ) from error
    if len(codes) < 5:
        raise DataError(f"UMAP needs at least 5 molecules, there are {len(codes)}: take --projection pca")
    # One thread and random starts for a handful: the spectral start needs more molecules than dimensions.
    start = "random" if len(codes) <= _NEIGHBOURS else "spectral"
    fitted = UMAP(n_neighbors=min(_NEIGHBOURS, len(codes) - 1), init=start, random_state=seed, n_jobs=1)
    return fitted.fit_transform(codes)
