"""What a property model has to beat, fitted on the same molecules in the same run."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from molae.apps.properties.scaling import Blocks

#: Names of the baselines, and the features that each of them looks at.
BASELINES = {
    "mean": None,
    "ECFP4 + random forest": "ecfp",
    "descriptors + boosting": "descriptors",
}

_TREES = 200
# Of more molecules each tree draws so many, and takes no longer: the forest has seen them all.
_MOST_DRAWN = 20_000


def predict_baseline(
    name: str, train: Blocks, target: np.ndarray, test: Blocks, class_count: int, seed: int
) -> np.ndarray:
    """Fits a baseline and predicts with it.

    Args:
        name: One of `BASELINES`. `mean` stands for the shares of the classes too.
        train: Features of the training molecules.
        target: Values, or indices of classes.
        test: Features of the molecules to predict.
        class_count: Number of classes, 0 for a regression.
        seed: Seed of the trees.
    Returns:
        Values, or probabilities of shape (n, class_count).
    """
    block = BASELINES[name]
    count = len(next(iter(test.values())))
    if block is None:
        if class_count:
            return np.tile(np.bincount(target, minlength=class_count) / len(target), (count, 1))
        return np.full(count, target.mean())
    model = _forest(class_count, seed, len(target)) if block == "ecfp" else _boosting(class_count, seed)
    model.fit(train[block], target)
    if block == "ecfp":
        model.set_params(n_jobs=1)  # threads would add up what the trees say in any order
    if not class_count:
        return model.predict(test[block])
    found = np.zeros((count, class_count))
    found[:, model.classes_] = model.predict_proba(test[block])  # a class may not be among those to fit on
    return found


def _forest(class_count: int, seed: int, count: int) -> Any:
    kind = RandomForestClassifier if class_count else RandomForestRegressor
    # At each node the root of the features, or a third for numbers, as Breiman advised.
    features: Any = "sqrt" if class_count else 1 / 3
    drawn = _MOST_DRAWN if count > _MOST_DRAWN else None
    return kind(_TREES, max_features=features, max_samples=drawn, random_state=seed, n_jobs=-1)


def _boosting(class_count: int, seed: int) -> Any:
    kind = HistGradientBoostingClassifier if class_count else HistGradientBoostingRegressor
    return kind(random_state=seed)
