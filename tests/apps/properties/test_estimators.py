from __future__ import annotations

import numpy as np
import pytest
from propertytable import RINGS, SMILES, VALUES
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import molae
from molae.errors import ConfigError, DataError, RowError

REGRESSOR = molae.PropertyRegressor(features="descriptors", estimator="ridge")
CLASSIFIER = molae.PropertyClassifier(features="ecfp")


def test_they_work_where_scikit_learn_expects_estimators() -> None:
    smiles = np.array(SMILES)
    order = np.random.default_rng(0).permutation(60)
    scores = cross_val_score(REGRESSOR, smiles[order], VALUES[order], cv=3)
    assert scores.mean() > 0.8
    assert cross_val_score(CLASSIFIER, list(SMILES), RINGS, cv=3).mean() > 0.9
    assert cross_val_score(CLASSIFIER, list(SMILES), RINGS, cv=3, scoring="roc_auc").mean() > 0.9
    search = GridSearchCV(REGRESSOR, {"features": ["descriptors", "ecfp"]}, cv=3)
    assert search.fit(smiles[order], VALUES[order]).best_params_["features"] == "descriptors"
    pipeline = make_pipeline(FunctionTransformer(), REGRESSOR)
    assert pipeline.fit(smiles, VALUES).score(smiles, VALUES) > 0.9


def test_parameters_survive_cloning() -> None:
    regressor = molae.PropertyRegressor("molecule-qm9", estimator="gp", coverage=0.8, seed=3)
    assert clone(regressor).get_params() == regressor.get_params()
    assert clone(CLASSIFIER).get_params() == CLASSIFIER.get_params()


def test_each_prediction_tells_how_far_to_trust_it() -> None:
    regressor = clone(REGRESSOR).fit(SMILES, VALUES)
    molecules = ["CCCO", "CCCCCCCCCCCCCCCCS(=O)(=O)F"]
    value = regressor.predict(molecules)
    interval = regressor.predict_interval(molecules)
    assert interval.shape == (2, 2)
    assert (interval[:, 0] < value).all()
    assert (value < interval[:, 1]).all()
    near, far = regressor.distance(molecules)
    assert near == pytest.approx(0, abs=1e-3)
    assert far > 2


def test_classes_keep_their_type() -> None:
    labels = np.where(RINGS == 1, "ring", "chain")
    classifier = clone(CLASSIFIER).fit(SMILES, labels)
    assert classifier.classes_.tolist() == ["chain", "ring"]
    assert (classifier.predict(SMILES) == labels).mean() > 0.95
    assert classifier.predict_proba(SMILES).shape == (60, 2)


def test_codes_of_a_model(model_path: object) -> None:
    regressor = molae.PropertyRegressor(model_path, features="code", estimator="ridge")  # type: ignore[arg-type]
    assert np.isfinite(regressor.fit(SMILES[:12], VALUES[:12]).predict(SMILES[:3])).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.0, np.nan] * 30, "molecule 1 has no class"),
        (["a", None] * 30, "molecule 1 has no class"),
        (["a", 1] * 30, "classes of several types"),
        (VALUES, "60 different labels"),
        (np.zeros((60, 2)), "one label for each molecule"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        clone(CLASSIFIER).fit(SMILES, np.asarray(labels, dtype=object if isinstance(labels, list) else None))


def test_a_column_of_labels_is_taken_with_a_warning() -> None:
    with pytest.warns(DataConversionWarning):
        fitted = clone(REGRESSOR).fit(SMILES, VALUES[:, None])
    np.testing.assert_array_equal(
        fitted.predict(SMILES), clone(REGRESSOR).fit(SMILES, VALUES).predict(SMILES)
    )
    with pytest.raises(DataError, match="expected a number for each molecule"):
        clone(REGRESSOR).fit(SMILES, ["high"] * 60)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(RowError, match="molecule 1"):
        clone(REGRESSOR).fit(["CO", "bad", *SMILES], [1, 2, *VALUES])
    with pytest.raises(DataError, match="finite number"):
        clone(REGRESSOR).fit(SMILES, [np.nan, *VALUES[1:]])
    with pytest.raises(DataError, match="60 molecules, but 59 labels"):
        clone(REGRESSOR).fit(SMILES, VALUES[1:])
    with pytest.raises(DataError, match="two classes"):
        clone(CLASSIFIER).fit(SMILES, np.ones(60))
    with pytest.raises(ConfigError, match="scaffold or random"):
        molae.PropertyRegressor(features="ecfp", groups="some").fit(SMILES, VALUES)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no features"):
        molae.PropertyRegressor(features="codes").fit(SMILES, VALUES)
