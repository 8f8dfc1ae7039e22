"""Property models as scikit-learn estimators: molecules in, predictions out."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from molae.apps.embed import BATCH_SIZE
from molae.apps.embedder import one_column
from molae.apps.loading import Model
from molae.apps.properties.assess import SplitPlan
from molae.apps.properties.features import Described, Featuriser, describe
from molae.apps.properties.heads import ClassWeight
from molae.apps.properties.model import COVERAGE, Predictions, PropertyModel, Recipe, fit_property
from molae.apps.properties.targets import MOST_CLASSES
from molae.errors import ConfigError, DataError, RowError

Groups = Literal["scaffold", "random"]


def _labels(y: Any) -> np.ndarray:
    """A label for each molecule; of a table of one column, that column, with scikit-learn's warning."""
    try:
        return column_or_1d(y, warn=True)
    except ValueError as error:
        raise DataError(f"expected one label for each molecule: {error}") from error


class _PropertyEstimator(BaseEstimator):
    """What the regressor and the classifier share."""

    model: Model
    features: str
    estimator: Literal["auto", "ridge", "gp", "boosting"]
    groups: Groups
    fine_tune: bool
    batch_size: int
    device: str
    num_workers: int
    seed: int

    def _recipe(self) -> Recipe:
        raise NotImplementedError

    def _fit(self, X: Any, y: np.ndarray, class_count: int) -> Self:
        recipe = self._recipe()
        if self.groups not in ("scaffold", "random"):
            raise ConfigError(f"groups: expected scaffold or random, got {self.groups!r}")
        molecules = self._describe(X)
        if len(molecules.rows) != len(y):
            raise DataError(f"{len(molecules.rows)} molecules, but {len(y)} labels")
        groups = SplitPlan(self.groups).groups(molecules)
        self.property_model_: PropertyModel = fit_property(
            molecules.blocks, y, groups, recipe, class_count=class_count, network=molecules.network
        )
        self.n_features_in_ = 1
        return self

    def _describe(self, X: Any) -> Described:
        featuriser = Featuriser(self._recipe().inputs, self.model, self.device, self.batch_size)
        molecules = describe(one_column(X), featuriser, self.num_workers, self.seed)
        for place, error in molecules.errors.items():
            raise RowError(f"molecule {place}: {error.reason}", error.kind) from error
        return molecules

    def _predictions(self, X: Any) -> Predictions:
        check_is_fitted(self)
        return self.property_model_.predict(self._describe(X).blocks)

    def distance(self, X: Any) -> Float[np.ndarray, " n"]:
        """How far molecules are from the training molecules.

        Args:
            X: SMILES or RDKit molecules.
        Returns:
            Distance to the nearest training molecule, in the first block of features; 1 is the median
            distance of a training molecule to its nearest other.
        Raises:
            RowError: If a molecule cannot be read.
        """
        return self._predictions(X).distance


class PropertyRegressor(RegressorMixin, _PropertyEstimator):
    """Predicts a number from molecules, with an interval for each.

    Features are computed anew at every call. To try many settings on the same molecules, compute codes once
    with `MoleculeEmbedder`, and search over an estimator of scikit-learn on these.

    Args:
        model: Name of a shipped model, path of a model directory, or a loaded model, that codes come from.
        features: Blocks of features joined by `+`: `code`, `descriptors` (RDKit), `fingerprints` (five kinds,
            stereo included), `ecfp` (ECFP4 counts).
        estimator: `ridge`, `gp` (Gaussian process), `boosting`, or `auto`, the Gaussian process.
        coverage: Share of the intervals that should hold the truth.
        groups: What is held out together to calibrate the intervals: molecules of one `scaffold`, so that
            they hold for new scaffolds; or only repeated ones (`random`), for molecules like those fitted on.
        fine_tune: Whether networks that start from the model's summary are trained too: minutes, not seconds.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        num_workers: Further processes that read molecules and make conformers.
        seed: Seed of conformers and fit.

    Example:
        cross_val_score(PropertyRegressor("graph", estimator="ridge"), smiles, solubility)
    """

    def __init__(
        self,
        model: Model = "graph",
        *,
        features: str = "code+descriptors+fingerprints",
        estimator: Literal["auto", "ridge", "gp", "boosting"] = "auto",
        coverage: float = COVERAGE,
        groups: Groups = "scaffold",
        fine_tune: bool = False,
        batch_size: int = BATCH_SIZE,
        device: str = "auto",
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        self.model = model
        self.features = features
        self.estimator = estimator
        self.coverage = coverage
        self.groups = groups
        self.fine_tune = fine_tune
        self.batch_size = batch_size
        self.device = device
        self.num_workers = num_workers
        self.seed = seed

    def _recipe(self) -> Recipe:
        return Recipe(
            self.features,
            self.estimator,
            coverage=self.coverage,
            seed=self.seed,
            fine_tune=self.fine_tune,
        )

    def fit(self, X: Any, y: Any) -> Self:
        """Fits the model.

        Args:
            X: SMILES or RDKit molecules: a list, an array, or a table of one column.
            y: A finite number for each.
        Returns:
            The estimator itself.
        Raises:
            RowError: If a molecule cannot be read.
            DataError: If there are too few molecules, or labels are missing or all the same.
            ConfigError: If a parameter does not fit.
        """
        try:
            values = np.asarray(_labels(y), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"expected a number for each molecule: {error}") from error
        if not np.isfinite(values).all():
            raise DataError("expected a finite number for each molecule: leave out those without a label")
        return self._fit(X, values, 0)

    def predict(self, X: Any) -> Float[np.ndarray, " n"]:
        """Predicts molecules.

        Raises:
            RowError: If a molecule cannot be read.
        """
        return self._predictions(X).value

    def predict_interval(self, X: Any) -> Float[np.ndarray, "n 2"]:
        """Predicts intervals that hold the truth as often as `coverage` says.

        Returns:
            Lower and upper ends.
        Raises:
            RowError: If a molecule cannot be read.
        """
        found = self._predictions(X)
        return np.column_stack([found.lower, found.upper])


class PropertyClassifier(ClassifierMixin, _PropertyEstimator):
    """Predicts a class from molecules, with calibrated probabilities.

    Args:
        model: Name of a shipped model, path of a model directory, or a loaded model, that codes come from.
        features: Blocks of features joined by `+`: `code`, `descriptors` (RDKit), `fingerprints` (five kinds,
            stereo included), `ecfp` (ECFP4 counts).
        estimator: `ridge` (logistic regression), `gp` (Gaussian process, for two classes), `boosting`, or
            `auto`, the Gaussian process for two classes and logistic regression for more.
        class_weight: `none`, or `balanced`: rare classes count as much as common ones in the decision, and
            in the fit but for the Gaussian process; probabilities are those of the training molecules all the
            same.
        groups: What is held out together to calibrate: molecules of one `scaffold`, or only repeated ones
            (`random`).
        fine_tune: Whether networks that start from the model's summary are trained too, on two classes:
            minutes, not seconds.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        num_workers: Further processes that read molecules and make conformers.
        seed: Seed of conformers and fit.
    """

    def __init__(
        self,
        model: Model = "graph",
        *,
        features: str = "code+descriptors+fingerprints",
        estimator: Literal["auto", "ridge", "gp", "boosting"] = "auto",
        class_weight: ClassWeight = "none",
        groups: Groups = "scaffold",
        fine_tune: bool = False,
        batch_size: int = BATCH_SIZE,
        device: str = "auto",
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        self.model = model
        self.features = features
        self.estimator = estimator
        self.class_weight = class_weight
        self.groups = groups
        self.fine_tune = fine_tune
        self.batch_size = batch_size
        self.device = device
        self.num_workers = num_workers
        self.seed = seed

    def _recipe(self) -> Recipe:
        return Recipe(
            self.features, self.estimator, self.class_weight, seed=self.seed, fine_tune=self.fine_tune
        )

    def fit(self, X: Any, y: Any) -> Self:
        """Fits the model.

        Args:
            X: SMILES or RDKit molecules: a list, an array, or a table of one column.
            y: The class of each.
        Returns:
            The estimator itself.
        Raises:
            RowError: If a molecule cannot be read.
            DataError: If there are too few molecules, or one class only.
            ConfigError: If a parameter does not fit.
        """
        values = _labels(y)
        # NaN alone differs from itself, and may stand among text.
        missing = np.array([each is None or each != each for each in values.tolist()], dtype=bool)
        if missing.any():
            raise DataError(f"molecule {missing.argmax()} has no class: leave out those without a label")
        try:
            self.classes_, labels = np.unique(values, return_inverse=True)
        except TypeError as error:
            raise DataError(f"classes of several types: {error}") from error
        if len(self.classes_) > MOST_CLASSES:
            raise DataError(
                f"{len(self.classes_)} different labels, at most {MOST_CLASSES} classes are fitted: numbers"
                " are for PropertyRegressor"
            )
        if len(self.classes_) < 2:
            raise DataError(f"expected at least two classes, all molecules are {self.classes_.tolist()}")
        return self._fit(X, labels, len(self.classes_))

    def predict(self, X: Any) -> np.ndarray:
        """Predicts the class of molecules.

        Raises:
            RowError: If a molecule cannot be read.
        """
        return self.classes_[self._predictions(X).value]

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n k"]:
        """Predicts the probability of each class, in the order of `classes_`.

        Raises:
            RowError: If a molecule cannot be read.
        """
        return self._predictions(X).probabilities
