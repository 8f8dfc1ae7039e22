"""Gaussian process regression with a length scale and a linear part for each block of features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize
from torch import Tensor

MOST_MOLECULES = 5000
"""Of more molecules, so many random ones are kept, and what all teach is projected on them."""
SEARCHES = ((400, 40), (1200, 12))
"""Of more molecules, so many random ones find the hyperparameters, in so many steps at most; then more of
them go on from there."""

LEAST_NOISE = 0.01
"""Least variance of the noise, as a share of that of the target. Those few that find the hyperparameters may
seem free of noise; two molecules with the same features and different values would then get huge weights."""

_JITTER = 1e-6
_ROWS_AT_ONCE = 512
_ROOT5 = math.sqrt(5.0)


@dataclass(frozen=True)
class GaussianProcessHead:
    """Regression with k(x, x') = a + Σ_b l_b x_b·x'_b + s m(r), r² = Σ_b w_b |x_b - x'_b|², and noise v.

    m is the Matérn 5/2 function. The target is standardised, and a = 1 stands for its unknown mean. A block
    that says nothing gets w_b and l_b near 0 from the marginal likelihood (Rasmussen, Williams 2006, chapter
    5), so a useless block does little harm. Where not all molecules are kept, the prediction is that of the
    projected process (section 8.3.4 there), which all of them teach; the spread is that of those kept alone.

    Attributes:
        features: Scaled features of the molecules that were kept, float32.
        sizes: Columns of each block.
        weights: What the kernel with each of them counts, of the standardised target.
        parameters: Logarithms of w_b, then of l_b, of s and of v.
        mean: Mean of the target.
        deviation: Standard deviation of the target.
    """

    features: Float[np.ndarray, "n d"]
    sizes: Int[np.ndarray, " b"]
    weights: Float[np.ndarray, " n"]
    parameters: Float[np.ndarray, " p"]
    mean: float
    deviation: float

    @cached_property
    def factor(self) -> Float[np.ndarray, "n n"]:
        """The lower Cholesky factor of K, noise included. It is not stored: it follows from the rest."""
        return _factor(self.features.astype(np.float64), self.sizes, self.parameters)

    def scores(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n 1"]:
        """See `molae.apps.properties.heads.Head`."""
        parts = [self._covariance(part) @ self.weights for part in _parts(features)]
        return self.mean + self.deviation * np.concatenate(parts)[:, None]

    def spread(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Standard deviation of the prediction of a new measurement."""
        linear, signal, noise = self._variances()
        prior = 1.0 + signal + noise
        for scale, block in zip(linear, _blocks(features, self.sizes), strict=True):
            prior = prior + scale * np.sum(block**2, axis=1)
        explained = [
            np.sum(solve_triangular(self.factor, self._covariance(part).T, lower=True) ** 2, axis=0)
            for part in _parts(features)
        ]
        return self.deviation * np.sqrt(np.clip(prior - np.concatenate(explained), noise, None))

    def tuned(self) -> dict[str, Any]:
        """See `molae.apps.properties.heads.Head`."""
        return {"parameters": self.parameters}

    def arrays(self) -> dict[str, np.ndarray]:
        """See `molae.apps.properties.heads.Head`."""
        stored = {name: getattr(self, name) for name in _ARRAYS}
        return {**stored, "scale": np.array([self.mean, self.deviation])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See `molae.apps.properties.heads.Head`."""
        mean, deviation = arrays["scale"].tolist()
        return cls(**{name: arrays[name] for name in _ARRAYS}, mean=mean, deviation=deviation)

    def _covariance(self, features: np.ndarray) -> np.ndarray:
        return _covariance(features, self.features.astype(np.float64), self.sizes, self.parameters)

    def _variances(self) -> tuple[np.ndarray, float, float]:
        count = len(self.sizes)
        values = np.exp(self.parameters)
        return values[count : 2 * count], float(values[-2]), float(values[-1])


_ARRAYS = ("features", "sizes", "weights", "parameters")


def fit_gaussian_process(
    features: np.ndarray,
    target: np.ndarray,
    sizes: Sequence[int],
    seed: int,
    parameters: np.ndarray | None = None,
) -> GaussianProcessHead:
    """Fits a Gaussian process.

    Args:
        features: Scaled features.
        target: Values to predict.
        sizes: Columns of each block of the features.
        seed: Seed of the choice of molecules, where there are too many.
        parameters: Logarithms of the hyperparameters, or None to maximise the marginal likelihood.
    Returns:
        The fitted head.
    """
    generator = np.random.default_rng(seed)
    kept = np.sort(generator.permutation(len(target))[:MOST_MOLECULES])
    mean, deviation = float(target.mean()), float(target.std()) or 1.0
    standardised = (target - mean) / deviation
    # In the precision in which they are stored.
    points = features[kept].astype(np.float32).astype(np.float64)
    if parameters is None:
        order = generator.permutation(len(kept))
        parameters = _search(points[order], standardised[kept][order], sizes)
    factor = _factor(points, sizes, parameters)
    if len(kept) == len(target):
        weights = cho_solve((factor, True), standardised)
    else:
        weights = _project(points, features, standardised, sizes, parameters)
    head = GaussianProcessHead(
        points.astype(np.float32), np.array(sizes), weights, parameters, mean, deviation
    )
    vars(head)["factor"] = factor  # known already, for once
    return head


def _project(
    points: np.ndarray,
    features: np.ndarray,
    target: np.ndarray,
    sizes: Sequence[int],
    parameters: np.ndarray,
) -> Float[np.ndarray, " n"]:
    """Weights of the points kept that explain the targets of all molecules best.

    They solve (v K + C Cᵀ) w = C y, where K is the kernel of the points, C that of points and molecules, and
    v the noise. With all molecules for points, they are (K + v)⁻¹ y.
    """
    size = len(points)
    own = _covariance(points, points, sizes, parameters)
    own[np.diag_indices(size)] += _JITTER * own.diagonal().mean()
    # In the basis in which the kernel of the points is the identity: what is added up stays positive there,
    # though points may be nearly alike.
    lower = np.linalg.cholesky(own)
    inner, projected = np.zeros((size, size)), np.zeros(size)
    for part, known in zip(_parts(features), _parts(target), strict=True):
        across = _covariance(points, part, sizes, parameters)
        half = solve_triangular(lower, across, lower=True, overwrite_b=True)
        inner += half @ half.T
        projected += half @ known
    inner[np.diag_indices(size)] += math.exp(parameters[-1]) + _JITTER
    found = cho_solve(cho_factor(inner, lower=True), projected)
    return solve_triangular(lower, found, lower=True, trans="T")


def _search(features: np.ndarray, target: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Finds hyperparameters with the first few molecules, then with more of them."""
    count = len(sizes)
    start = np.array([math.log(0.3)] * count + [math.log(0.1)] * count + [0.0, math.log(0.1)])
    width = np.array([2.0] * count + [3.0] * count + [2.0, 2.0])
    found = start
    for most, steps in SEARCHES:
        found = _maximise(features[:most], target[:most], sizes, found, (start, width), steps)
        if len(target) <= most:
            break
    return found


def _maximise(
    features: np.ndarray,
    target: np.ndarray,
    sizes: Sequence[int],
    begin: np.ndarray,
    prior: tuple[np.ndarray, np.ndarray],
    steps: int,
) -> np.ndarray:
    """Maximises the marginal likelihood, under a weak normal prior of the logarithms, given by its mean and
    deviation, that keeps hyperparameters in a sane range."""
    squares, products = _pairs(features, features, sizes)
    y = torch.from_numpy(target)
    noise_of = torch.eye(len(target), dtype=torch.float64)
    mean, width = prior

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        leaf = torch.from_numpy(values.copy()).requires_grad_()
        covariance = _kernel(squares, products, leaf) + (leaf[-1].exp() + _JITTER) * noise_of
        factor = torch.linalg.cholesky(covariance)
        solved = torch.cholesky_solve(y[:, None], factor)[:, 0]
        penalty = 0.5 * (((leaf - torch.from_numpy(mean)) / torch.from_numpy(width)) ** 2).sum()
        negative = 0.5 * y @ solved + factor.diagonal().log().sum() + penalty
        negative.backward()
        return negative.item(), leaf.grad.numpy()  # type: ignore[union-attr]

    least = mean - 4 * width
    least[-1] = math.log(LEAST_NOISE)
    bounds = list(zip(least, mean + 4 * width, strict=True))
    found = minimize(
        loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps, "ftol": 1e-6}
    )
    return found.x


def _factor(features: np.ndarray, sizes: Sequence[int] | np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """The lower Cholesky factor of the covariance of measurements."""
    covariance = _covariance(features, features, sizes, parameters)
    covariance[np.diag_indices(len(features))] += math.exp(parameters[-1]) + _JITTER
    return np.linalg.cholesky(covariance)


def _covariance(
    a: np.ndarray, b: np.ndarray, sizes: Sequence[int] | np.ndarray, parameters: np.ndarray
) -> np.ndarray:
    """The kernel of all pairs, some rows at a time, as there are several matrices to each."""
    known = torch.from_numpy(parameters)
    return np.concatenate([_kernel(*_pairs(part, b, sizes), known).numpy() for part in _parts(a)])


def _pairs(
    a: np.ndarray, b: np.ndarray, sizes: Sequence[int] | np.ndarray
) -> tuple[list[Tensor], list[Tensor]]:
    """Squared distances and scalar products of all pairs, block by block."""
    squares, products = [], []
    for left, right in zip(_blocks(a, sizes), _blocks(b, sizes), strict=True):
        product = left @ right.T
        square = np.sum(left**2, axis=1)[:, None] + np.sum(right**2, axis=1) - 2 * product
        squares.append(torch.from_numpy(np.maximum(square, 0.0)))
        products.append(torch.from_numpy(product))
    return squares, products


def _kernel(squares: list[Tensor], products: list[Tensor], parameters: Tensor) -> Tensor:
    count = len(squares)
    values = parameters.exp()
    square = sum(w * each for w, each in zip(values[:count], squares, strict=True)) + 1e-12
    r = _ROOT5 * torch.as_tensor(square).sqrt()
    kernel = 1.0 + values[-2] * (1 + r + r**2 / 3) * torch.exp(-r)
    for scale, product in zip(values[count : 2 * count], products, strict=True):
        kernel = kernel + scale * product
    return kernel


def _parts(features: np.ndarray) -> list[np.ndarray]:
    """Rows, so many at a time that their kernel with all that are kept fits into memory."""
    starts = range(0, max(1, len(features)), _ROWS_AT_ONCE)
    return [features[start : start + _ROWS_AT_ONCE] for start in starts]


def _blocks(features: np.ndarray, sizes: Sequence[int] | np.ndarray) -> list[np.ndarray]:
    return np.split(features, np.cumsum(sizes)[:-1], axis=1)
