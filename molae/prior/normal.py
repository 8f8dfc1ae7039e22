"""The standard normal distribution, towards which the variational form presses codes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from molae.prior.base import PRIORS, Prior, check_codes
from molae.registry import Config


class NormalConfig(Config):
    """The standard normal distribution has no settings."""


@PRIORS.register("normal", NormalConfig)
class NormalPrior(Prior):
    """Independent standard normal channels, whatever the codes; for models of the variational form."""

    def __init__(self, config: NormalConfig) -> None:
        self._size = 0

    def fit(self, codes: Float[np.ndarray, "g d"], seed: int = 0) -> None:
        self._size = check_codes(codes, least=1).shape[1]

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        return np.random.default_rng(seed).standard_normal((n, self._size)).astype(np.float32)

    def log_prob(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        codes = np.asarray(codes, dtype=np.float64)
        return -0.5 * (np.square(codes).sum(1) + codes.shape[1] * np.log(2 * np.pi))
