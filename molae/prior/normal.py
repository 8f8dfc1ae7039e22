"""The standard normal distribution, towards which the variational form presses codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from molae.prior.base import PRIORS, CodeSpace, Prior, Progress, check_codes
from molae.registry import Config


class NormalConfig(Config):
    """The standard normal distribution has no settings."""


@PRIORS.register("normal", NormalConfig)
class NormalPrior(Prior):
    """Independent standard normal channels, whatever the codes; for models of the variational form."""

    def __init__(self, config: NormalConfig, space: CodeSpace) -> None:
        self._size = 0

    def fit(self, codes: Float[np.ndarray, "g d"], seed: int = 0, progress: Progress | None = None) -> None:
        self._size = check_codes(codes, least=1).shape[1]

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        return np.random.default_rng(seed).standard_normal((n, self._size)).astype(np.float32)

    def log_prob(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        codes = np.asarray(codes, dtype=np.float64)
        return -0.5 * (np.square(codes).sum(1) + codes.shape[1] * np.log(2 * np.pi))

    def state(self) -> dict[str, Tensor]:
        return {"size": torch.tensor(self._size)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._size = int(state["size"])
