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
_STRENGTHS = np.logspace(-2, 3, 6)
# What the code may be weighed down by: a linear model cannot tell by itself that a block says little.
_BLOCK_WEIGHTS = (1.0, 0.3, 0.1, 0.0)
# Of more molecules, so many random ones find the strength.
_MOST_SEARCHED = 2000
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
        weight: What the first block was weighed by; `weights` are for features that are not weighed.
    """

    weights: Float[np.ndarray, "d k"]
    bias: Float[np.ndarray, " k"]
    strength: float
    weight: float

    def scores(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """See `Head`."""
        return features @ self.weights + self.bias

    def spread(self, features: Float[np.ndarray, "n d"]) -> None:
        """See `Head`."""

    def tuned(self) -> dict[str, Any]:
        """See `Head`."""
        return {"strength": self.strength, "weight": self.weight}

    def arrays(self) -> dict[str, np.ndarray]:
        """See `Head`."""
        return {"weights": self.weights, "bias": self.bias, "tuned": np.array([self.strength, self.weight])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See `Head`."""
        strength, weight = arrays["tuned"].tolist()
        return cls(arrays["weights"], arrays["bias"], strength, weight)


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


def fit_ridge(
    features: np.ndarray,
    target: np.ndarray,
    first: int = 0,
    *,
    strength: float | None = None,
    weight: float = 1.0,
) -> LinearHead:
    """Fits ridge regression.

    Args:
        features: Scaled features.
        target: Values to predict.
        first: Columns of a first block to weigh down, by one of a few factors, if that helps; 0 for none.
        strength: Strength of the penalty, or None to find it and the weight by leaving one out.
        weight: Weight of the first block, where the strength is given.
    Returns:
        The fitted head.
    """
    if strength is None:
        found = {
            w: RidgeCV(_ALPHAS).fit(_weighed(features, first, w), target) for w in _weights(features, first)
        }
        weight, best = max(found.items(), key=lambda each: each[1].best_score_)
        strength = float(best.alpha_)
    model = Ridge(strength).fit(_weighed(features, first, weight), target)
    return _linear_head(model, first, strength, weight)


def fit_logistic(
    features: np.ndarray,
    classes: np.ndarray,
    seed: int,
    class_weight: ClassWeight = "none",
    first: int = 0,
    *,
    strength: float | None = None,
    weight: float = 1.0,
) -> LinearHead:
    """Fits logistic regression.

    Args:
        features: Scaled features.
        classes: Indices of classes.
        seed: Seed of the folds.
        class_weight: Whether classes count alike.
        first: Columns of a first block to weigh down, by one of a few factors, if that helps; 0 for none.
        strength: Inverse strength of the penalty, or None to find it and the weight by cross-validation.
        weight: Weight of the first block, where the strength is given.
    Returns:
        The fitted head.
    """
    settings: dict[str, Any] = {"class_weight": _weight(class_weight), "max_iter": 2000}
    if strength is None:
        found = {
            w: _search_strength(_weighed(features, first, w), classes, seed, settings)
            for w in _weights(features, first)
        }
        weight, (_, strength) = max(found.items(), key=lambda each: each[1][0])
    model = LogisticRegression(C=strength, **settings).fit(_weighed(features, first, weight), classes)
    return _linear_head(model, first, strength, weight)


def _weights(features: np.ndarray, first: int) -> tuple[float, ...]:
    return _BLOCK_WEIGHTS if 0 < first < features.shape[1] else (1.0,)


def _weighed(features: np.ndarray, first: int, weight: float) -> np.ndarray:
    return np.hstack([weight * features[:, :first], features[:, first:]])


def _linear_head(model: Any, first: int, strength: float, weight: float) -> LinearHead:
    """The head for features that are not weighed."""
    weights = np.atleast_2d(model.coef_).T.copy()
    weights[:first] *= weight
    return LinearHead(weights, np.atleast_1d(model.intercept_).astype(float), strength, weight)


def _search_strength(
    features: np.ndarray, classes: np.ndarray, seed: int, settings: dict[str, Any]
) -> tuple[float, float]:
    """The best score in cross-validation, and the inverse strength that reaches it."""
    searched = np.random.default_rng(seed).permutation(len(classes))[:_MOST_SEARCHED]
    features, classes = features[searched], classes[searched]
    labels, sizes = np.unique(classes, return_counts=True)
    if sizes.min() < 2:
        return 0.0, 1.0

    def score(model: LogisticRegression, held: np.ndarray, truth: np.ndarray) -> float:
        return -log_loss(truth, model.predict_proba(held), labels=labels)

    parts = StratifiedKFold(min(5, int(sizes.min())), shuffle=True, random_state=seed)
    search = GridSearchCV(
        LogisticRegression(**settings), {"C": _STRENGTHS}, scoring=score, cv=parts, refit=False
    ).fit(features, classes)
    return float(search.best_score_), float(search.best_params_["C"])


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
