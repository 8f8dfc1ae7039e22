"""What turns scaled features into scores; trained by scikit-learn, kept as plain arrays.

A head holds nothing but arrays, so it is stored without pickle, and predicts the same whatever version of
scikit-learn is there. Scores are predictions for a regression. For a classification they are the log-odds of
the second of two classes, or one score for each of more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
from jaxtyping import Float, Int
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold

EstimatorName = Literal["ridge", "gp", "boosting"]
ClassWeight = Literal["none", "balanced"]

_ALPHAS = np.logspace(-4, 3, 22)
_STRENGTHS = np.logspace(-3, 4, 8)
_ROWS_AT_ONCE = 512


class Head(Protocol):
    """What every head can do."""

    def scores(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Predictions, one column; or log-odds, one column for two classes, else one for each."""
        ...

    def spread(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"] | None:
        """The head's own idea of the standard deviation of its errors, or None if it has none."""
        ...

    def tuned(self) -> dict[str, Any]:
        """Settings that were found while fitting, to fit on a part of the same data without the search."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """All that the head is."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The head that `arrays` gave."""
        ...


@dataclass(frozen=True)
class LinearHead:
    """A linear function: ridge regression, or logistic regression.

    Attributes:
        weights: Weights.
        bias: Constants.
        strength: The regularisation that was chosen.
    """

    weights: Float[np.ndarray, "d k"]
    bias: Float[np.ndarray, " k"]
    strength: float

    def scores(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """See `Head`."""
        return features @ self.weights + self.bias

    def spread(self, features: Float[np.ndarray, "n d"]) -> None:
        """See `Head`."""

    def tuned(self) -> dict[str, Any]:
        """See `Head`."""
        return {"strength": self.strength}

    def arrays(self) -> dict[str, np.ndarray]:
        """See `Head`."""
        return {"weights": self.weights, "bias": self.bias, "strength": np.array([self.strength])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See `Head`."""
        return cls(arrays["weights"], arrays["bias"], float(arrays["strength"][0]))


@dataclass(frozen=True)
class TreesHead:
    """A sum of decision trees: gradient boosting.

    Attributes:
        feature: Column that a node looks at.
        threshold: A molecule goes left if its value is at most this.
        left: Node on the left; a leaf leads to itself.
        right: Node on the right; a leaf leads to itself.
        value: What a leaf adds to the score.
        roots: Root of each tree; those of one round, one for each score, follow each other.
        base: Scores before the first tree.
        depth: Depth of the deepest leaf.
    """

    feature: Int[np.ndarray, " t"]
    threshold: Float[np.ndarray, " t"]
    left: Int[np.ndarray, " t"]
    right: Int[np.ndarray, " t"]
    value: Float[np.ndarray, " t"]
    roots: Int[np.ndarray, " r"]
    base: Float[np.ndarray, " k"]
    depth: int

    def scores(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """See `Head`."""
        starts = range(0, len(features), _ROWS_AT_ONCE)
        parts = [self._scores(features[start : start + _ROWS_AT_ONCE]) for start in starts]
        return np.vstack(parts) if parts else np.empty((0, len(self.base)))

    def _scores(self, features: np.ndarray) -> np.ndarray:
        node = np.tile(self.roots, (len(features), 1))
        row = np.arange(len(features))[:, None]
        for _ in range(self.depth):
            goes_left = features[row, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        rounds = self.value[node].reshape(len(features), -1, len(self.base))
        return self.base + rounds.sum(axis=1)

    def spread(self, features: Float[np.ndarray, "n d"]) -> None:
        """See `Head`."""

    def tuned(self) -> dict[str, Any]:
        """See `Head`."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """See `Head`."""
        return {**{name: getattr(self, name) for name in _TREE_ARRAYS}, "depth": np.array([self.depth])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See `Head`."""
        return cls(**{name: arrays[name] for name in _TREE_ARRAYS}, depth=int(arrays["depth"][0]))


_TREE_ARRAYS = ("feature", "threshold", "left", "right", "value", "roots", "base")


def fit_ridge(features: np.ndarray, target: np.ndarray, strength: float | None = None) -> LinearHead:
    """Fits ridge regression; the strength of the penalty comes from leaving one out, unless given."""
    model = RidgeCV(_ALPHAS) if strength is None else Ridge(strength)
    model.fit(features, target)
    chosen = float(model.alpha_) if strength is None else strength
    return LinearHead(model.coef_.reshape(-1, 1), np.atleast_1d(model.intercept_).astype(float), chosen)


def fit_logistic(
    features: np.ndarray,
    classes: np.ndarray,
    seed: int,
    weight: ClassWeight = "none",
    strength: float | None = None,
) -> LinearHead:
    """Fits logistic regression; the strength of the penalty comes from cross-validation, unless given."""
    settings: dict[str, Any] = {"class_weight": _weight(weight), "max_iter": 2000}
    if strength is None:
        strength = _search_strength(features, classes, seed, settings)
    model = LogisticRegression(C=strength, **settings).fit(features, classes)
    weights, bias = model.coef_.T, model.intercept_.astype(float)
    return LinearHead(np.ascontiguousarray(weights), bias, float(strength))


def _search_strength(features: np.ndarray, classes: np.ndarray, seed: int, settings: dict[str, Any]) -> float:
    rarest = np.bincount(classes)[np.unique(classes)].min()
    if rarest < 2:
        return 1.0
    labels = np.unique(classes)

    def score(model: LogisticRegression, held: np.ndarray, truth: np.ndarray) -> float:
        return -log_loss(truth, model.predict_proba(held), labels=labels)

    parts = StratifiedKFold(min(5, int(rarest)), shuffle=True, random_state=seed)
    search = GridSearchCV(
        LogisticRegression(**settings), {"C": _STRENGTHS}, scoring=score, cv=parts, refit=False
    )
    return float(search.fit(features, classes).best_params_["C"])


def fit_boosting(
    features: np.ndarray, target: np.ndarray, seed: int, weight: ClassWeight | None = None
) -> TreesHead:
    """Fits gradient-boosted trees: a classification if there is a `weight`, else a regression."""
    settings: dict[str, Any] = {
        "random_state": seed,
        "max_iter": 200,
        "learning_rate": 0.06,
        "max_features": 0.3,
        "early_stopping": False,
    }
    if weight is None:
        model = HistGradientBoostingRegressor(**settings)
    else:
        model = HistGradientBoostingClassifier(**settings, class_weight=_weight(weight))
    return _export_trees(model.fit(features, target))


def _export_trees(model: Any) -> TreesHead:
    """Copies the trees out of scikit-learn's model, which has no public access to them."""
    trees = [tree.nodes for round_ in model._predictors for tree in round_]
    roots = np.cumsum([0, *map(len, trees)])[:-1]
    nodes = np.concatenate(trees)
    leaf = nodes["is_leaf"].astype(bool)
    own = np.arange(len(nodes))
    offset = np.repeat(roots, [len(tree) for tree in trees])
    return TreesHead(
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int32),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=np.where(leaf, own, nodes["left"] + offset).astype(np.int32),
        right=np.where(leaf, own, nodes["right"] + offset).astype(np.int32),
        value=np.where(leaf, nodes["value"], 0.0),
        roots=roots.astype(np.int32),
        base=np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1),
        depth=int(nodes["depth"].max()),
    )


def _weight(weight: ClassWeight) -> str | None:
    return None if weight == "none" else weight
