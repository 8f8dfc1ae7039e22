"""A fitted model of one property: features in; prediction, its uncertainty and its distance out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from molae.apps.properties.calibration import (
    Probabilities,
    Training,
    conformal_factor,
    fit_probabilities,
    keep_training,
)
from molae.apps.properties.gaussian import MOST_MOLECULES, GaussianProcessHead, fit_gaussian_process
from molae.apps.properties.heads import (
    ClassWeight,
    EstimatorName,
    Head,
    LinearHead,
    TreesHead,
    fit_boosting,
    fit_logistic,
    fit_ridge,
)
from molae.apps.properties.scaling import Blocks, Scaling, fit_scaling
from molae.apps.properties.splits import folds
from molae.apps.properties.tuning import TunedNetworks, fine_tune, kinds
from molae.errors import ConfigError, DataError
from molae.nn.summary import Summary
from molae.registry import nearest

logger = logging.getLogger("molae.apps")

TaskName = Literal["regression", "classification"]

BLOCKS = ("code", "descriptors", "fingerprints", "ecfp")
GRAPHS = "graph"
"""The packed graphs, beside the blocks of features: what is fine-tuned reads them."""
HEADS: dict[str, type[Head]] = {"ridge": LinearHead, "gp": GaussianProcessHead, "boosting": TreesHead}
FOLDS = 5
COVERAGE = 0.9
FEWEST_MOLECULES = 8


@dataclass(frozen=True)
class Recipe:
    """How a model is fitted.

    Attributes:
        features: Blocks of features, joined by `+`: `code`, `descriptors`, `fingerprints` (five kinds,
            stereo included), `ecfp`.
        estimator: `ridge` (logistic regression for classes), `gp` (Gaussian process, which tells two classes
            apart at most), `boosting`, or `auto`: the Gaussian process, for more classes logistic regression.
        class_weight: Whether every molecule counts the same (`none`), or every class (`balanced`): in the
            decision, and in the fit but for the Gaussian process.
        coverage: Share of the intervals that should hold the truth.
        seed: Seed of all that is random.
        fine_tune: Whether networks that start from the summary are trained too (see
            `molae.apps.properties.tuning`); on two classes, with the Gaussian process alone.
    """

    features: str = "code+descriptors+fingerprints"
    estimator: Literal["auto", "ridge", "gp", "boosting"] = "auto"
    class_weight: ClassWeight = "none"
    coverage: float = COVERAGE
    seed: int = 0
    fine_tune: bool = False

    def __post_init__(self) -> None:
        if unknown := [block for block in self.blocks if block not in BLOCKS]:
            raise ConfigError(f"no features are called {unknown[0]!r}: {nearest(unknown[0], list(BLOCKS))}")
        if len(set(self.blocks)) < len(self.blocks):
            raise ConfigError(f"features: {self.features!r} names a block twice")
        if self.estimator not in ("auto", *HEADS):
            known = nearest(self.estimator, ["auto", *HEADS])
            raise ConfigError(f"no estimator is called {self.estimator!r}: {known}")
        if self.class_weight not in ("none", "balanced"):
            raise ConfigError(f"class weight: expected none or balanced, got {self.class_weight!r}")
        if not 0 < self.coverage < 1:
            raise ConfigError(f"coverage: expected a share between 0 and 1, got {self.coverage}")
        if self.fine_tune and "code" not in self.blocks:
            raise ConfigError("fine-tuning goes on from the code: have it among the features")

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks of features, in order."""
        return tuple(self.features.split("+"))

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is to be known of molecules: the blocks, and the graphs where networks are fine-tuned."""
        return (*self.blocks, GRAPHS) if self.fine_tune else self.blocks

    def estimator_for(self, class_count: int) -> EstimatorName:
        """The estimator, once the number of classes is known, 0 for a regression.

        Raises:
            ConfigError: If there is none of this kind for so many.
        """
        if self.fine_tune and class_count > 2:
            raise ConfigError(f"fine-tuning tells two classes apart, not {class_count}: fit without it")
        if self.fine_tune and class_count and self.estimator not in ("auto", "gp"):
            raise ConfigError(f"fine-tuning classes needs the estimator gp, not {self.estimator}")
        if self.estimator == "auto":
            return "gp" if class_count <= 2 else "ridge"
        if self.estimator == "gp" and class_count > 2:
            raise ConfigError(
                f"the Gaussian process tells two classes apart, not {class_count}: use ridge or boosting"
            )
        return self.estimator


@dataclass(frozen=True)
class Predictions:
    """What a model says of molecules.

    Attributes:
        value: Predicted values, or indices of the classes decided for.
        lower: Lower ends of the intervals; empty for a classification.
        upper: Upper ends of the intervals; empty for a classification.
        probabilities: Probability of each class; no columns for a regression.
        distance: Distance to the nearest training molecule, 1 being typical among those.
        nearest_row: Row number of that molecule.
    """

    value: np.ndarray
    lower: Float[np.ndarray, " n"]
    upper: Float[np.ndarray, " n"]
    probabilities: Float[np.ndarray, "n k"]
    distance: Float[np.ndarray, " n"]
    nearest_row: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class PropertyModel:
    """A fitted model of one property.

    Attributes:
        task: `regression` or `classification`.
        recipe: How it was fitted.
        scaling: From raw features to those of the head.
        head: From features to scores.
        factor: Half the width of an interval in units of the error to expect; 0 for a classification.
        probabilities: From scores to probabilities, or None for a regression.
        training: The training molecules.
        tuned: Fine-tuned networks to join with the head, one kind after the other.
    """

    task: TaskName
    recipe: Recipe
    scaling: Scaling
    head: Head
    factor: float
    probabilities: Probabilities | None
    training: Training
    tuned: tuple[TunedNetworks, ...] = ()

    @property
    def class_count(self) -> int:
        """Number of classes, 0 for a regression."""
        return 0 if self.probabilities is None else len(self.probabilities.prior)

    def predict(self, blocks: Blocks) -> Predictions:
        """Predicts molecules.

        Args:
            blocks: Raw features, the inputs of the recipe at least, finite but for gaps in the descriptors.
        Returns:
            The predictions.
        """
        features = self.scaling(blocks)
        scores = self.head.scores(features)
        for networks in self.tuned:
            scores = networks.join(scores, blocks[GRAPHS])
        distance, place = self.training.nearest(features)
        rows = self.training.rows[place]
        none = np.empty(0)
        if self.probabilities is not None:
            probabilities = self.probabilities(scores)
            decided = self._decide(probabilities)
            return Predictions(decided, none, none, probabilities, distance, rows)
        half = self.factor * _difficulty(self.head, self.training, features)
        value = scores[:, 0]
        return Predictions(value, value - half, value + half, np.empty((len(value), 0)), distance, rows)

    def _decide(self, probabilities: np.ndarray) -> np.ndarray:
        """The most probable class; where classes weigh the same, the one that gains most on its prior."""
        if self.recipe.class_weight == "none" or self.probabilities is None:
            return probabilities.argmax(axis=1)
        return (probabilities / self.probabilities.prior).argmax(axis=1)


def fit_property(
    blocks: Blocks,
    target: np.ndarray,
    groups: np.ndarray,
    recipe: Recipe,
    *,
    class_count: int = 0,
    rows: np.ndarray | None = None,
    network: Summary | None = None,
) -> PropertyModel:
    """Fits a model, and calibrates it on errors of molecules held out group by group.

    Args:
        blocks: Raw features of the training molecules.
        target: Values; or, for a classification, indices of classes.
        groups: Group of each molecule; molecules of one group are held out together.
        recipe: How to fit.
        class_count: Number of classes, 0 for a regression.
        rows: Row numbers of the molecules, or None to count from 0.
        network: The network of the summary, where the recipe says to fine-tune it.
    Returns:
        The model.
    Raises:
        DataError: If there are too few molecules, or of one value or class only.
    """
    task: TaskName = "classification" if class_count else "regression"
    _check(target, class_count)
    scaling = fit_scaling(blocks, recipe.blocks)
    if not sum(scaling.kept_sizes):
        raise DataError("the molecules to fit on all have the same features: are they all the same?")
    features = scaling(blocks)
    head = _fit_head(features, target, scaling, recipe, class_count, {})
    held = _held_out(blocks, target, groups, recipe, class_count, head.tuned())
    tuned: list[TunedNetworks] = []
    judged = np.ones(len(target), dtype=bool)
    if recipe.fine_tune and network is not None:
        graphs, aim = blocks[GRAPHS], target.astype(np.float64)
        for kind in kinds(network.schema, len(target)):
            found = fine_tune(network, kind, graphs, aim, groups, held.scores, FOLDS, recipe.seed)
            held = replace(held, scores=found.scores)
            judged &= found.judged
            tuned += [found.networks] if found.networks else []
    errors = np.abs(held.scores[:, 0] - target) if task == "regression" else np.zeros(len(target))
    numbers = np.arange(len(target)) if rows is None else rows
    training = keep_training(features, errors, numbers, scaling.kept_sizes[0], recipe.seed)
    if task == "classification":
        probabilities = fit_probabilities(held.scores[judged], target[judged], class_count)
        return PropertyModel(task, recipe, scaling, head, 0.0, probabilities, training, tuple(tuned))
    spread = held.spread
    if spread is None:
        errors, spread = training.errors, training.difficulty(training.points, itself=True)
        judged = np.isin(training.rows, numbers[judged])
    least = 1e-12 * target.std()
    factor = conformal_factor(errors[judged], np.maximum(spread[judged], least), recipe.coverage)
    return PropertyModel(task, recipe, scaling, head, factor, None, training, tuple(tuned))


def fit_scores(
    blocks: Blocks, target: np.ndarray, recipe: Recipe, class_count: int, tuned: dict[str, Any]
) -> Callable[[Blocks], np.ndarray]:
    """Fits frozen features without calibration, with settings that were found before; gives what scores
    molecules."""
    scaling = fit_scaling(blocks, recipe.blocks)
    head = _fit_head(scaling(blocks), target, scaling, recipe, class_count, tuned)
    return lambda others: head.scores(scaling(others))


@dataclass(frozen=True)
class _HeldOut:
    scores: np.ndarray
    spread: np.ndarray | None


def _held_out(
    blocks: Blocks,
    target: np.ndarray,
    groups: np.ndarray,
    recipe: Recipe,
    class_count: int,
    tuned: dict[str, Any],
) -> _HeldOut:
    """Scores of every molecule by a head that was fitted without its group."""
    scores: np.ndarray | None = None
    spread: np.ndarray | None = None
    parts = list(folds(groups, FOLDS))
    for number, (fitted, held) in enumerate(parts, start=1):
        if len(target) > MOST_MOLECULES:  # minutes each
            logger.info("calibrating: fitting without part %d of %d", number, len(parts))
        if class_count and len(np.unique(target[fitted])) < len(np.unique(target)):
            # A class whose molecules are all in one group: no fold can learn it without them.
            fitted = np.arange(len(target))
        part = {name: values[fitted] for name, values in blocks.items()}
        scaling = fit_scaling(part, recipe.blocks)
        head = _fit_head(scaling(part), target[fitted], scaling, recipe, class_count, tuned)
        features = scaling({name: values[held] for name, values in blocks.items()})
        found, own = head.scores(features), head.spread(features)
        scores = np.zeros((len(target), found.shape[1])) if scores is None else scores
        scores[held] = found
        if own is not None:
            spread = np.zeros(len(target)) if spread is None else spread
            spread[held] = own
    if scores is None:
        raise DataError("no molecules to fit on")
    return _HeldOut(scores, spread)


def _fit_head(
    features: np.ndarray,
    target: np.ndarray,
    scaling: Scaling,
    recipe: Recipe,
    class_count: int,
    tuned: dict[str, Any],
) -> Head:
    estimator = recipe.estimator_for(class_count)
    if estimator == "boosting":
        weight = recipe.class_weight if class_count else None
        return fit_boosting(features, target, recipe.seed, weight)
    if estimator == "gp":
        # Two classes are the numbers 0 and 1 to it (Rasmussen, Williams 2006, section 6.5).
        return fit_gaussian_process(features, target, scaling.kept_sizes, recipe.seed, **tuned)
    code = scaling.kept_sizes[0] if scaling.names[0] == "code" else 0
    if class_count:
        return fit_logistic(features, target, recipe.seed, recipe.class_weight, code, **tuned)
    return fit_ridge(features, target, code, **tuned)


def _difficulty(head: Head, training: Training, features: np.ndarray) -> np.ndarray:
    own = head.spread(features)
    return training.difficulty(features) if own is None else own


def _check(target: np.ndarray, class_count: int) -> None:
    if len(target) < FEWEST_MOLECULES:
        raise DataError(f"{len(target)} molecules to fit on, at least {FEWEST_MOLECULES} are needed")
    if len(np.unique(target)) < max(2, class_count):
        what = "of every class" if class_count else "with more than one value"
        raise DataError(f"the molecules to fit on must be {what}")
