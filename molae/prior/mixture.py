"""A Gaussian mixture in the space of the principal components of codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from pydantic import PositiveInt
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from torch import Tensor

from molae.prior.base import PRIORS, CodeSpace, Prior, Progress, check_codes
from molae.registry import Config

# What scikit-learn's estimators draw from and measure with.
_SPACE = ("mean_", "components_", "explained_variance_")
_MIXTURE = ("weights_", "means_", "covariances_", "precisions_cholesky_")


class MixtureConfig(Config):
    """Configuration of the mixture.

    Attributes:
        components: Gaussians; fewer where there are not as many codes.
    """

    components: PositiveInt = 10


@PRIORS.register("mixture", MixtureConfig)
class MixturePrior(Prior):
    """Gaussians with full covariances. Densities are those in the space that the fitted codes span.

    Args:
        config: Configuration.
        space: What the codes are like; of no concern here.
    """

    def __init__(self, config: MixtureConfig, space: CodeSpace) -> None:
        self.config = config

    def fit(self, codes: Float[np.ndarray, "g d"], seed: int = 0, progress: Progress | None = None) -> None:
        # In single precision covariances would not come out positive.
        codes = check_codes(codes, least=2).astype(np.float64)
        # Channels that never differ would leave the covariances without an inverse.
        self._space = PCA(n_components=min(len(codes) - 1, codes.shape[1]), svd_solver="full").fit(codes)
        inner = self._space.transform(codes)
        spread = float(inner.var(axis=0).mean())
        self._mixture = GaussianMixture(
            min(self.config.components, len(codes)),
            covariance_type="full",
            reg_covar=1e-3 * spread + 1e-9,
            random_state=seed,
        ).fit(inner)

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        self._mixture.random_state = seed
        drawn, _ = self._mixture.sample(n)
        return self._space.inverse_transform(drawn).astype(np.float32)

    def log_prob(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        return self._mixture.score_samples(self._space.transform(np.asarray(codes, dtype=np.float64)))

    def state(self) -> dict[str, Tensor]:
        learned = [(self._space, name) for name in _SPACE] + [(self._mixture, name) for name in _MIXTURE]
        return {name: torch.from_numpy(getattr(owner, name)) for owner, name in learned}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._mixture = GaussianMixture(len(state["weights_"]), covariance_type="full")
        self._space = PCA()
        for owner, names in ((self._space, _SPACE), (self._mixture, _MIXTURE)):
            for name in names:
                setattr(owner, name, state[name].double().numpy())
