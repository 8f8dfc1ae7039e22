"""What a property model has to beat, fitted on the same molecules in the same run."""

from __future__ import annotations

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
    if class_count:
        forest, boosting = RandomForestClassifier, HistGradientBoostingClassifier
    else:
        forest, boosting = RandomForestRegressor, HistGradientBoostingRegressor
    # A third of the features at each node, as Breiman advised for regression.
    model = (
        forest(_TREES, max_features=1 / 3, random_state=seed)
        if block == "ecfp"
        else boosting(random_state=seed)
    )
    model.fit(train[block], target)
    return model.predict_proba(test[block]) if class_count else model.predict(test[block])
