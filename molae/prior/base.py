"""What all priors have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float

from molae.errors import ConfigError
from molae.registry import Registry


class Prior(ABC):
    """A distribution of codes."""

    @abstractmethod
    def fit(self, codes: Float[np.ndarray, "g d"], seed: int = 0) -> None:
        """Learns the distribution of codes.

        Args:
            codes: Codes of the graphs that new ones are to be like, all finite.
            seed: Seed of the fit.
        Raises:
            ConfigError: If the codes do not suffice.
        """

    @abstractmethod
    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        """Draws codes; a fit must have gone before.

        Args:
            n: Number of codes.
            seed: Seed of the draws.
        Returns:
            The codes, float32.
        """

    @abstractmethod
    def log_prob(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Logarithm of the density of each code, in nats; a fit must have gone before."""


def check_codes(codes: Float[np.ndarray, "g d"], least: int) -> Float[np.ndarray, "g d"]:
    """Checks codes to fit to.

    Returns:
        The codes in double precision.
    Raises:
        ConfigError: If there are fewer than `least`, or some are not finite.
    """
    codes = np.asarray(codes, dtype=np.float64)
    if codes.ndim != 2 or len(codes) < least or not np.isfinite(codes).all():
        raise ConfigError(
            f"codes: expected at least {least} in rows, all finite, got the shape {codes.shape};"
            " leave out the graphs that could not be embedded"
        )
    return codes


PRIORS: Registry[Prior] = Registry("prior")
