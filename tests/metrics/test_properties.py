from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics

from molae.metrics.properties import (
    classification_figures,
    coverage_figures,
    regression_figures,
    reliability,
)


def test_regression_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    measured = generator.normal(size=50)
    predicted = measured + generator.normal(0, 0.5, 50)
    found = regression_figures(predicted, measured)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(measured, predicted))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(measured, predicted))
    assert found["r2"] == pytest.approx(metrics.r2_score(measured, predicted))
    assert found["spearman"] == pytest.approx(spearmanr(measured, predicted).statistic)


def test_what_is_not_defined_is_nan() -> None:
    constant = regression_figures(np.ones(3), np.ones(3))
    assert constant["rmse"] == 0
    assert math.isnan(constant["r2"])
    assert math.isnan(constant["spearman"])
    one_class = classification_figures(np.array([[0.4, 0.6], [0.9, 0.1]]), np.array([1, 1]))
    assert math.isnan(one_class["roc_auc"])
    assert one_class["accuracy"] == 0.5


def test_coverage_counts_the_ends() -> None:
    found = coverage_figures(np.array([0.0, 0, 0]), np.array([1.0, 1, np.inf]), np.array([1.0, 2, 3]))
    assert found == {"coverage": pytest.approx(2 / 3), "interval_width": 1.0}


@pytest.mark.parametrize("count", [2, 3])
def test_classification_agrees_with_scikit_learn(count: int) -> None:
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(np.ones(count), 80)
    truth = generator.integers(count, size=80)
    found = classification_figures(probabilities, truth)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, probabilities))
    decided = probabilities.argmax(axis=1)
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, decided))
    if count == 2:
        assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, probabilities[:, 1]))
        assert found["brier"] == pytest.approx(metrics.brier_score_loss(truth, probabilities[:, 1]))
    else:
        expected = metrics.roc_auc_score(truth, probabilities, multi_class="ovr")
        assert found["roc_auc"] == pytest.approx(expected)


def test_reliable_probabilities_have_no_calibration_error() -> None:
    truth = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    probabilities = np.array([0.25] * 4 + [0.75] * 4)
    assert [each["share"] for each in reliability(probabilities, truth)] == [0.25, 0.75]
    both = np.column_stack([1 - probabilities, probabilities])
    assert classification_figures(both, truth)["calibration_error"] == pytest.approx(0)
    assert reliability(np.array([1.0]), np.array([1]))[0]["count"] == 1
