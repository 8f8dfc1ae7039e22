"""How good a recipe is on molecules it has not seen, beside baselines on the same ones."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from molae.apps.properties.baselines import BASELINES, predict_baseline
from molae.apps.properties.features import Described
from molae.apps.properties.model import Predictions, PropertyModel, Recipe, fit_property, fit_scores
from molae.apps.properties.splits import (
    Split,
    SplitKind,
    molecule_groups,
    scaffold_groups,
    split_by_column,
    split_by_groups,
    split_by_time,
)
from molae.apps.properties.targets import Target
from molae.metrics.properties import (
    classification_figures,
    coverage_figures,
    rank_correlation,
    regression_figures,
    reliability,
)

logger = logging.getLogger("molae.apps")

TOLERANCE = 0.05
"""Coverage further than this from what was asked for earns a warning."""

_CURVE = (0.1, 0.2, 0.4, 0.7, 1.0)
_FEWEST_ON_CURVE = 10
_SCAFFOLDS_SHOWN = 12
_FEW_OF_A_CLASS = 5
_BY_CHANCE = "with so few, chance alone may do that"


@dataclass(frozen=True)
class SplitPlan:
    """How to part the molecules.

    Attributes:
        kind: By scaffold, at random, by a column that names the part, or by a column of times.
        values: That column, a value for each molecule; empty where there is none.
        column: Name of that column.
        test_size: Share of the molecules that test; a column of parts knows better.
        seed: Seed of the draw.
    """

    kind: SplitKind = "scaffold"
    values: Sequence[object] = ()
    column: str | None = None
    test_size: float = 0.2
    seed: int = 0

    def groups(self, molecules: Described) -> np.ndarray:
        """Groups that are never parted, in cross-validation neither."""
        if self.kind == "scaffold":
            return scaffold_groups(molecules.scaffolds, molecules.skeletons)
        return molecule_groups(molecules.skeletons)

    def split(self, molecules: Described, places: np.ndarray) -> Split:
        """Parts molecules, those at `places` of what `values` tells about.

        Raises:
            DataError: If they cannot be parted so.
        """
        if self.kind == "column":
            return split_by_column([self.values[place] for place in places])
        if self.kind == "time":
            return split_by_time([self.values[place] for place in places], self.test_size)
        return split_by_groups(self.groups(molecules), self.test_size, self.seed)


@dataclass(frozen=True)
class Labelled:
    """The molecules that have a label of one target.

    Attributes:
        target: The target.
        molecules: The molecules.
        values: Their values, or indices of classes.
        places: Their places among all molecules that were read.
    """

    target: Target
    molecules: Described
    values: np.ndarray
    places: np.ndarray

    @property
    def class_count(self) -> int:
        """Number of classes, 0 for a regression."""
        return len(self.target.classes)

    def part(self, places: np.ndarray) -> tuple[Described, np.ndarray]:
        """Molecules and values at some places."""
        return self.molecules.take(places), self.values[places]

    def fit(self, places: np.ndarray, groups: np.ndarray, recipe: Recipe) -> PropertyModel:
        """Fits a recipe on the molecules at some places; rows are numbered as in the table, from 1."""
        molecules, values = self.part(places)
        return fit_property(
            molecules.blocks,
            values,
            groups[places],
            recipe,
            class_count=self.class_count,
            rows=molecules.rows + 1,
            network=molecules.network,
        )


def labelled(molecules: Described, target: Target) -> Labelled:
    """Takes the molecules that have a label; `target` has a value for each of them."""
    places = np.flatnonzero(target.known)
    values = target.values[places]
    if target.task == "classification":
        values = values.astype(np.int64)
    return Labelled(target, molecules.take(places), values, places)


@dataclass(frozen=True)
class Assessment:
    """A recipe measured on the test part of one split.

    Attributes:
        data: The molecules with labels.
        split: The split.
        model: The model fitted on the training part.
        predictions: What it says of the test part.
        figures: How good that is.
        baselines: The same figures of each baseline.
    """

    data: Labelled
    split: Split
    model: PropertyModel
    predictions: Predictions
    figures: dict[str, float]
    baselines: dict[str, dict[str, float]]

    @property
    def truth(self) -> np.ndarray:
        """Measured values, or indices of classes, of the test part."""
        return self.data.values[self.split.test]

    @property
    def errors(self) -> np.ndarray:
        """Predicted minus measured; for classes, the probability that is missing from the true one."""
        if self.data.class_count:
            return 1.0 - self.predictions.probabilities[np.arange(len(self.truth)), self.truth]
        return self.predictions.value - self.truth


def assess(
    data: Labelled, plan: SplitPlan, recipe: Recipe, baselines: Sequence[str] = tuple(BASELINES)
) -> Assessment:
    """Fits a recipe on the training part of a split, and measures it and baselines on the test part.

    Args:
        data: Molecules with labels.
        plan: How to part them.
        recipe: How to fit.
        baselines: Baselines to measure beside it.
    Returns:
        The assessment.
    Raises:
        DataError: If the molecules cannot be parted so, or are too few.
    """
    split, name = plan.split(data.molecules, data.places), data.target.name
    logger.info("%s: fitting on %d training molecules", name, len(split.train))
    model = data.fit(split.train, plan.groups(data.molecules), recipe)
    test, truth = data.part(split.test)
    predictions = model.predict(test.blocks)
    measured = {}
    for baseline in baselines:
        logger.info("%s: beside it, %s", name, baseline)
        measured[baseline] = measure_baseline(baseline, data, split, plan.seed)
    return Assessment(data, split, model, predictions, measure(predictions, truth), measured)


def measure(predictions: Predictions, truth: np.ndarray) -> dict[str, float]:
    """The figures of predictions."""
    if predictions.probabilities.shape[1]:
        return classification_figures(predictions.probabilities, truth, predictions.value)
    figures = regression_figures(predictions.value, truth)
    return figures | coverage_figures(predictions.lower, predictions.upper, truth)


def measure_baseline(name: str, data: Labelled, split: Split, seed: int) -> dict[str, float]:
    """The figures of a baseline."""
    (train, target), (test, truth) = data.part(split.train), data.part(split.test)
    found = predict_baseline(name, train.blocks, target, test.blocks, data.class_count, seed)
    return classification_figures(found, truth) if data.class_count else regression_figures(found, truth)


def learning_curve(assessment: Assessment, seed: int) -> list[dict[str, float]]:
    """The error on the test part after fitting on ever more of the training part.

    Settings that were found on the whole training part stay.

    Args:
        assessment: What was measured on all of it.
        seed: Seed of the order in which molecules come.
    Returns:
        For each size its `count` and the `rmse` or, for a classification, the `log_loss`; nothing of
        fine-tuned networks, which would have to be trained anew for each size.
    """
    data, split, model = assessment.data, assessment.split, assessment.model
    if model.tuned:
        return []
    order = np.random.default_rng(seed).permutation(split.train)
    test, truth = data.part(split.test)
    points = []
    for share in _CURVE:
        train, target = data.part(np.sort(order[: round(share * len(order))]))
        if len(target) < _FEWEST_ON_CURVE or len(np.unique(target)) < max(2, data.class_count):
            continue
        score = fit_scores(train.blocks, target, model.recipe, model.class_count, model.head.tuned())(
            test.blocks
        )
        points.append({"count": len(target), **_error(model, score, truth)})
    return points


def _error(model: PropertyModel, scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    if model.probabilities is None:
        return {"rmse": regression_figures(scores[:, 0], truth)["rmse"]}
    return {"log_loss": classification_figures(model.probabilities(scores), truth)["log_loss"]}


def warnings(assessment: Assessment) -> list[str]:
    """What a user should know before trusting the figures."""
    found = []
    data, wanted = assessment.data, assessment.model.recipe.coverage
    count = len(assessment.split.test)
    if not data.class_count:
        coverage = assessment.figures["coverage"]
        if math.isinf(assessment.model.factor):
            found.append("too few training molecules to calibrate intervals: they are infinite")
        elif abs(coverage - wanted) > TOLERANCE:
            by_chance = binomtest(round(coverage * count), count, wanted).pvalue > 0.05
            how = "narrow" if coverage < wanted else "wide"
            reason = _BY_CHANCE if by_chance else f"they are too {how} for molecules such as these"
            found.append(
                f"the {100 * wanted:.0f} % intervals hold {100 * coverage:.0f} % of the {count} test"
                f" molecules: {reason}"
            )
    if count < 30:
        found.append(f"only {count} test molecules: the figures are rough")
    found += _about_labels(assessment)
    rarest = _rarest_in_test(assessment)
    if rarest is not None and rarest[1] < _FEW_OF_A_CLASS:
        found.append(
            f"the test part has {rarest[1]} of class {rarest[0]!r}: figures of how well classes are told"
            " apart mean next to nothing"
        )
    elif best := _best_baseline(assessment):
        found.append(f"the baseline {best!r} is better on this test part")
    if data.class_count:
        shares = np.bincount(data.values, minlength=data.class_count) / len(data.values)
        if shares.min() < 0.1 and assessment.model.recipe.class_weight == "none":
            rare = data.target.classes[int(shares.argmin())]
            found.append(
                f"class {rare!r} is rare ({100 * shares.min():.1f} %): go by its probability,"
                " or use --class-weight balanced"
            )
    return found


def _about_labels(assessment: Assessment) -> list[str]:
    """Molecules that both parts have, and such as have several classes."""
    data, found = assessment.data, []
    names = np.array(data.molecules.smiles)
    shared = int(np.isin(names[assessment.split.test], names[assessment.split.train]).sum())
    if shared:
        found.append(f"{shared} of the test molecules are among the training molecules too")
    if data.class_count:
        classes: dict[str, set[int]] = {}
        for name, value in zip(data.molecules.smiles, data.values.tolist(), strict=True):
            classes.setdefault(name, set()).add(value)
        torn = [name for name, values in classes.items() if len(values) > 1]
        if torn:
            found.append(f"{len(torn)} molecules have labels of several classes, first {torn[0]}")
    return found


def _rarest_in_test(assessment: Assessment) -> tuple[str, int] | None:
    """The class that the fewest test molecules are of, and how many; None for a regression."""
    if not assessment.data.class_count:
        return None
    sizes = np.bincount(assessment.truth, minlength=assessment.data.class_count)
    return assessment.data.target.classes[int(sizes.argmin())], int(sizes.min())


def _best_baseline(assessment: Assessment) -> str | None:
    """The best baseline that is better than the model, or None."""
    figure, sign = ("rmse", 1) if not assessment.data.class_count else ("roc_auc", -1)
    own = sign * assessment.figures[figure]
    better = {
        name: sign * each[figure] for name, each in assessment.baselines.items() if sign * each[figure] < own
    }
    return min(better, key=lambda name: better[name]) if better else None


def by_scaffold(assessment: Assessment) -> list[dict[str, Any]]:
    """Errors on the scaffolds that most test molecules share.

    Returns:
        For each `scaffold` (empty: no rings) its `count`, `mean_error` and `mean_absolute_error`.
    """
    names = np.array([assessment.data.molecules.scaffolds[place] for place in assessment.split.test])
    found, counts = np.unique(names, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_SCAFFOLDS_SHOWN]
    return [
        {
            "scaffold": str(found[place]),
            "count": int(counts[place]),
            "mean_error": float(assessment.errors[names == found[place]].mean()),
            "mean_absolute_error": float(np.abs(assessment.errors[names == found[place]]).mean()),
        }
        for place in order
    ]


def by_distance(assessment: Assessment) -> list[dict[str, float]]:
    """Errors on the nearest, middle and farthest thirds of the test molecules.

    Returns:
        For each `up_to` (the largest distance), `count`, `mean_absolute_error` and, for a regression,
        `coverage`.
    """
    order = np.argsort(assessment.predictions.distance, kind="stable")
    found = []
    for part in np.array_split(order, 3):
        if not len(part):
            continue
        third: dict[str, float] = {
            "up_to": float(assessment.predictions.distance[part].max()),
            "count": len(part),
            "mean_absolute_error": float(np.abs(assessment.errors[part]).mean()),
        }
        if not assessment.data.class_count:
            lower, upper = assessment.predictions.lower[part], assessment.predictions.upper[part]
            third["coverage"] = coverage_figures(lower, upper, assessment.truth[part])["coverage"]
        found.append(third)
    return found


def trust(assessment: Assessment) -> dict[str, float]:
    """How well the size of an error on the test part is foretold: rank correlations with it.

    Returns:
        `distance`, of the distance to the training molecules; for a regression `interval_width` too.
    """
    sizes, predictions = np.abs(assessment.errors), assessment.predictions
    found = {"distance": rank_correlation(predictions.distance, sizes)}
    if not assessment.data.class_count and np.isfinite(assessment.model.factor):
        found["interval_width"] = rank_correlation(predictions.upper - predictions.lower, sizes)
    return found


def reliability_of(assessment: Assessment) -> list[dict[str, float]]:
    """Whether probabilities mean what they say, of the last class; empty for a regression."""
    if not assessment.data.class_count:
        return []
    last = assessment.data.class_count - 1
    return reliability(assessment.predictions.probabilities[:, last], (assessment.truth == last).astype(int))
