"""How good predicted properties are, and how true what is said of their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

NAN = float("nan")
RELIABILITY_BINS = 10


def regression_figures(
    predicted: Float[np.ndarray, " n"], measured: Float[np.ndarray, " n"]
) -> dict[str, float]:
    """Figures of a regression.

    Args:
        predicted: Predictions.
        measured: True values, in the same unit.
    Returns:
        `rmse`, `mae`; `r2`, the coefficient of determination (0 for predicting the mean of these very
        values, negative below); `spearman`, the rank correlation. NaN where a figure is not defined.

    >>> regression_figures(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))["mae"].__round__(3)
    0.333
    """
    error = predicted - measured
    variance = float(np.var(measured))
    return {
        "rmse": math.sqrt(float(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "r2": 1 - float(np.mean(error**2)) / variance if variance > 0 else NAN,
        "spearman": rank_correlation(predicted, measured),
    }


def rank_correlation(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation; NaN where one of the two does not vary."""
    return _correlation(rankdata(a), rankdata(b))


def coverage_figures(
    lower: Float[np.ndarray, " n"], upper: Float[np.ndarray, " n"], measured: Float[np.ndarray, " n"]
) -> dict[str, float]:
    """How often intervals hold the true value, and how wide they are.

    Args:
        lower: Lower ends.
        upper: Upper ends; may be infinite.
        measured: True values.
    Returns:
        `coverage`, a share; `interval_width`, the median width, in the unit of the values.
    """
    inside = (lower <= measured) & (measured <= upper)
    return {"coverage": float(np.mean(inside)), "interval_width": float(np.median(upper - lower))}


def classification_figures(
    probabilities: Float[np.ndarray, "n k"],
    truth: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"] | None = None,
) -> dict[str, float]:
    """Figures of a classification into two or more classes.

    Args:
        probabilities: Probability of each class.
        truth: Index of the true class.
        labels: Index of the class decided for, or None for the most probable one.
    Returns:
        `roc_auc` and `average_precision` (of the second of two classes, else the mean of each class against
        the rest), `balanced_accuracy`, `accuracy`, `brier` (summed over the classes, halved), `log_loss` in
        nats, `calibration_error` (expected, of the class decided for). NaN where a figure is not defined,
        as with one class only.
    """
    decided = probabilities.argmax(axis=1) if labels is None else labels
    target = np.eye(probabilities.shape[1])[truth]
    likelihood = np.clip(probabilities[np.arange(len(truth)), truth], 1e-12, None)
    return {
        "roc_auc": _over_classes(roc_auc_score, probabilities, target),
        "average_precision": _over_classes(average_precision_score, probabilities, target),
        "balanced_accuracy": float(np.mean([np.mean(decided[truth == k] == k) for k in np.unique(truth)])),
        "accuracy": float(np.mean(decided == truth)),
        "brier": float(np.mean(np.sum((probabilities - target) ** 2, axis=1)) / 2),
        "log_loss": float(-np.mean(np.log(likelihood))),
        "calibration_error": _calibration_error(probabilities, truth, decided),
    }


def reliability(
    probabilities: Float[np.ndarray, " n"], truth: Int[np.ndarray, " n"], bins: int = RELIABILITY_BINS
) -> list[dict[str, float]]:
    """What share of the molecules of about equal probability are truly of the class.

    Args:
        probabilities: Probability of the class.
        truth: 1 where a molecule is of the class, else 0.
        bins: Number of bins of equal width.
    Returns:
        For each bin that is not empty `probability` (mean), `share` (of the class) and `count`.
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    return [
        {
            "probability": float(probabilities[place == b].mean()),
            "share": float(truth[place == b].mean()),
            "count": int(np.sum(place == b)),
        }
        for b in np.unique(place)
    ]


def _over_classes(
    score: Callable[[np.ndarray, np.ndarray], float], probabilities: np.ndarray, target: np.ndarray
) -> float:
    columns = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    # A class that is absent, or the only one, has no curve.
    defined = [k for k in columns if 0 < target[:, k].mean() < 1]
    if not defined:
        return NAN
    return float(np.mean([score(target[:, k], probabilities[:, k]) for k in defined]))


def _calibration_error(probabilities: np.ndarray, truth: np.ndarray, decided: np.ndarray) -> float:
    confidence = probabilities[np.arange(len(truth)), decided]
    bins = reliability(confidence, (decided == truth).astype(int))
    return sum(each["count"] * abs(each["probability"] - each["share"]) for each in bins) / len(truth)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / norm if norm > 0 else NAN
