from __future__ import annotations

import math

import numpy as np
import pytest

from molae.apps.properties import calibration
from molae.apps.properties.calibration import (
    Training,
    conformal_factor,
    fit_probabilities,
    keep_training,
)


def test_the_factor_is_the_finite_sample_quantile() -> None:
    errors = np.arange(1.0, 20.0)
    # Rank ceil(0.9 * 20) = 18 of 19.
    assert conformal_factor(errors, np.ones(19), 0.9) == 18
    assert conformal_factor(errors, errors, 0.9) == 1
    assert conformal_factor(errors[:9], np.ones(9), 0.9) == 9
    assert math.isinf(conformal_factor(errors[:8], np.ones(8), 0.9))


def test_the_share_asked_for_is_inside() -> None:
    generator = np.random.default_rng(0)
    shares = [
        np.mean(
            generator.exponential(size=500)
            <= conformal_factor(generator.exponential(size=30), np.ones(30), 0.9)
        )
        for _ in range(400)
    ]
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("count", [2, 3])
def test_overconfident_scores_are_tamed(count: int) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, count)) + np.arange(count)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([generator.choice(count, p=each) for each in probabilities])
    scores = 5 * logits - 3 if count > 2 else 5 * (logits[:, 1:] - logits[:, :1]) - 3
    found = fit_probabilities(scores, truth, count)
    assert found.scale == pytest.approx(0.2, rel=0.1)
    np.testing.assert_allclose(found(scores), probabilities, atol=0.06)
    np.testing.assert_allclose(found.prior, np.bincount(truth) / 4000)


def test_perfect_scores_stay_finite() -> None:
    scores = np.array([[-1.0], [-2], [1], [3]])
    found = fit_probabilities(scores, np.array([0, 0, 1, 1]), 2)
    probabilities = found(scores)
    assert np.isfinite(probabilities).all()
    assert 0.7 < probabilities[3, 1] < 1


def test_nearest_training_molecules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_ROWS_AT_ONCE", 3)
    points = np.random.default_rng(0).normal(size=(50, 4))
    training = keep_training(points, np.ones(50), np.arange(50) + 1, 2, 0)
    distance, place = training.nearest(points)
    np.testing.assert_allclose(distance, 0, atol=1e-3)
    assert place.tolist() == list(range(50))
    block = points[:, :2]
    apart = np.linalg.norm(block[:, None] - block, axis=2) + 9 * np.eye(50)
    assert training.typical == pytest.approx(np.median(apart.min(axis=1)), rel=1e-3)
    assert training.nearest(points + 100)[0].min() > 100


def test_difficulty_is_that_of_the_neighbourhood() -> None:
    points = np.vstack([np.zeros((20, 2)), np.full((20, 2), 9.0)])
    points += np.random.default_rng(0).normal(0, 0.1, points.shape)
    errors = np.repeat([0.1, 1.9], 20)
    training = Training(points, errors, np.arange(40), 2, 1.0)
    found = training.difficulty(np.array([[0.0, 0.0], [9.0, 9.0]]))
    np.testing.assert_allclose(found, [0.55, 1.45])
    np.testing.assert_allclose(training.difficulty(points, itself=True), np.repeat([0.55, 1.45], 20))


def test_repeated_molecules_have_a_distance_too() -> None:
    training = keep_training(np.zeros((5, 3)), np.ones(5), np.arange(5), 3, 0)
    assert training.typical == 1
    assert training.nearest(np.zeros((1, 3)))[0].tolist() == [0]


def test_molecules_given_twice_are_no_yardstick() -> None:
    points = np.repeat(np.random.default_rng(0).random((50, 20)), 2, axis=0)
    training = keep_training(points, np.zeros(100), np.arange(100), 20, 0)
    assert training.typical == 1.0
    once = keep_training(points[::2], np.zeros(50), np.arange(50), 20, 0)
    few = keep_training(np.vstack([points[::2], points[:2]]), np.zeros(52), np.arange(52), 20, 0)
    assert few.typical == pytest.approx(once.typical, rel=0.1)


def test_of_many_molecules_some_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "MOST_NEIGHBOURS_SEARCHED", 7)
    points = np.arange(20.0)[:, None]
    training = keep_training(points, points[:, 0], np.arange(20), 1, 0)
    assert training.points[:, 0].tolist() == training.errors.tolist() == training.rows.tolist()
    assert len(training.points) == 7
