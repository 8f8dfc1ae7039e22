"""From scores to intervals that hold the truth as often as they say, and to probabilities that mean it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

MOST_NEIGHBOURS_SEARCHED = 10_000
"""Of more training molecules, so many random ones are kept to find neighbours among."""

_NEIGHBOURS = 10
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Training:
    """The training molecules as points, to say how far a molecule is from what the model has seen.

    Attributes:
        points: Their scaled features.
        errors: Size of the error of each where it was held out; 0 for classifications.
        rows: Row number of each in the table that the model was fitted on.
        columns: How many of the first columns count for the distance, those of the first block.
        typical: Median distance of a training molecule to its nearest neighbour, other than itself.
    """

    points: Float[np.ndarray, "n d"]
    errors: Float[np.ndarray, " n"]
    rows: Int[np.ndarray, " n"]
    columns: int
    typical: float

    def nearest(self, features: Float[np.ndarray, "m d"]) -> tuple[np.ndarray, np.ndarray]:
        """Finds the nearest training molecule of each.

        Args:
            features: Scaled features.
        Returns:
            Distance in the first block of features, in units of `typical`; and place in `points`.
        """
        distances, places = _nearest(features[:, : self.columns], self.points[:, : self.columns], 1)
        return distances[:, 0] / self.typical, places[:, 0]

    def difficulty(self, features: Float[np.ndarray, "m d"], itself: bool = False) -> Float[np.ndarray, " m"]:
        """The error to expect: half the mean one of the nearest training molecules, half that of all.

        Args:
            features: Scaled features.
            itself: Whether they are `points`, so that the nearest is not to count.
        Returns:
            An error, in the unit of the target (normalised conformal prediction by neighbours: Papadopoulos,
            Vovk, Gammerman 2011, doi:10.1613/jair.3198).
        """
        _, places = _nearest(features, self.points, min(_NEIGHBOURS + itself, len(self.points)))
        near = self.errors[places[:, 1:] if itself else places]
        overall = self.errors.mean()
        return 0.5 * overall + 0.5 * (near.mean(axis=1) if near.shape[1] else overall)


def keep_training(
    features: np.ndarray, errors: np.ndarray, rows: np.ndarray, columns: int, seed: int
) -> Training:
    """Keeps training molecules as points; at most `MOST_NEIGHBOURS_SEARCHED`, the others by chance not."""
    kept = np.sort(np.random.default_rng(seed).permutation(len(features))[:MOST_NEIGHBOURS_SEARCHED])
    points = features[kept].astype(np.float32).astype(np.float64)
    block = points[:, :columns]
    typical = 1.0
    if len(block) > 1:
        distances, _ = _nearest(block, block, 2)
        # The same molecule twice is apart by rounding.
        apart = distances[:, 1][distances[:, 1] > 1e-6 * np.abs(block).max()]
        typical = float(np.median(apart)) if len(apart) else 1.0
    return Training(points, errors[kept], rows[kept], columns, typical)


def conformal_factor(errors: np.ndarray, difficulty: np.ndarray, coverage: float) -> float:
    """How many times the difficulty an interval must reach, so that the share `coverage` is inside.

    The errors are those of molecules held out in cross-validation, as in cross-conformal prediction (Vovk
    2015, doi:10.1007/s10472-013-9368-4), with the finite-sample quantile of split-conformal prediction.

    Args:
        errors: Sizes of the errors.
        difficulty: Positive size expected of each.
        coverage: Share of the intervals that should hold the truth.
    Returns:
        The factor; infinite if there are too few errors to know, fewer than 9 for 90 %.
    """
    ratio = np.sort(errors / difficulty)
    rank = math.ceil(coverage * (len(ratio) + 1))
    return float(ratio[rank - 1]) if rank <= len(ratio) else math.inf


@dataclass(frozen=True)
class Probabilities:
    """Probabilities from log-odds: softmax of scale · s + bias (Platt's scaling, for two or more classes).

    Attributes:
        scale: Positive; below 1 it makes an overconfident model more careful.
        bias: A constant for each class.
        prior: Share of each class among the training molecules.
    """

    scale: float
    bias: Float[np.ndarray, " k"]
    prior: Float[np.ndarray, " k"]

    def __call__(self, scores: Float[np.ndarray, "n _"]) -> Float[np.ndarray, "n k"]:
        """Probability of each class."""
        return softmax(self.scale * class_scores(scores) + self.bias, axis=1)


def fit_probabilities(scores: np.ndarray, classes: np.ndarray, count: int) -> Probabilities:
    """Finds scale and biases by maximum likelihood, with targets smoothed as Platt (1999) did.

    Args:
        scores: Scores of molecules held out in cross-validation.
        classes: Index of the class of each.
        count: Number of classes.
    Returns:
        The calibration.
    """
    full = class_scores(scores)
    sizes = np.bincount(classes, minlength=count)
    smooth = 1.0 / (sizes[classes] + 2.0)
    target = np.tile(smooth[:, None] / (count - 1), count)
    target[np.arange(len(classes)), classes] = 1.0 - smooth

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        scale = math.exp(values[0])
        logits = scale * full + np.append(0.0, values[1:])
        difference = softmax(logits, axis=1) - target
        gradient = np.append(np.sum(difference * scale * full), difference.sum(axis=0)[1:])
        return -float(np.sum(target * log_softmax(logits, axis=1))), gradient

    bounds = [(-7.0, 5.0)] + [(-30.0, 30.0)] * (count - 1)
    found = minimize(loss, np.zeros(count), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Probabilities(math.exp(found[0]), np.append(0.0, found[1:]), sizes / len(classes))


def class_scores(scores: Float[np.ndarray, "n _"]) -> Float[np.ndarray, "n k"]:
    """Scores of all classes; one column is the log-odds of the second of two."""
    return np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores


def _nearest(points: np.ndarray, others: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest `count` of `others`, the nearest first, and their places."""
    squares = np.sum(others**2, axis=1)
    distances, places = [np.empty((0, count))], [np.empty((0, count), dtype=np.int64)]
    for start in range(0, len(points), _ROWS_AT_ONCE):
        part = points[start : start + _ROWS_AT_ONCE]
        square = np.sum(part**2, axis=1)[:, None] + squares - 2 * part @ others.T
        order = np.argsort(square, axis=1, kind="stable")[:, :count]
        distances.append(np.sqrt(np.maximum(np.take_along_axis(square, order, axis=1), 0.0)))
        places.append(order)
    return np.vstack(distances), np.vstack(places)
