from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel
from sklearn.linear_model import LogisticRegression

from molae.apps.properties import gaussian, heads
from molae.apps.properties.gaussian import fit_gaussian_process
from molae.apps.properties.heads import (
    Head,
    fit_boosting,
    fit_logistic,
    fit_ridge,
)
from molae.apps.properties.scaling import fit_scaling
from molae.chem.descriptors import FINGERPRINT_KINDS


def data(count: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    features = np.random.default_rng(seed).normal(size=(count, 4))
    return features, np.sin(features[:, 0]) + features[:, 1]


@pytest.mark.parametrize(
    "fit",
    [
        lambda x, y: fit_ridge(x, y),
        lambda x, y: fit_boosting(x, y, 0),
        lambda x, y: fit_gaussian_process(x, y, (2, 2), 0),
        lambda x, y: fit_logistic(x, (y > 0).astype(int), 0),
    ],
)
def test_heads_survive_as_arrays(fit: Callable[[np.ndarray, np.ndarray], Head]) -> None:
    features, target = data()
    head = fit(features, target)
    again = type(head).from_arrays(head.arrays())
    np.testing.assert_array_equal(again.scores(features), head.scores(features))
    assert head.scores(features).shape == (80, 1)
    assert head.scores(features[:0]).shape == (0, 1)


def test_settings_found_once_need_no_search() -> None:
    features, target = data()
    head = fit_ridge(features, target)
    again = fit_ridge(features, target, **head.tuned())
    np.testing.assert_allclose(again.weights, head.weights, rtol=1e-6)
    process = fit_gaussian_process(features, target, (4,), 0)
    same = fit_gaussian_process(features, target, (4,), 0, **process.tuned())
    np.testing.assert_allclose(same.scores(features), process.scores(features))


def test_exported_trees_predict_as_scikit_learn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_ROWS_AT_ONCE", 7)
    features, target = data(200)
    classes = np.digitize(target, [-0.7, 0.7])
    settings = {"max_iter": 20, "random_state": 0}
    regressor = HistGradientBoostingRegressor(**settings).fit(features, target)
    found = heads._export_trees(regressor).scores(features)
    np.testing.assert_allclose(found[:, 0], regressor.predict(features))
    binary = HistGradientBoostingClassifier(**settings).fit(features, classes > 0)
    np.testing.assert_allclose(
        heads._export_trees(binary).scores(features)[:, 0], binary.decision_function(features)
    )
    several = HistGradientBoostingClassifier(**settings).fit(features, classes)
    found = heads._export_trees(several).scores(features)
    np.testing.assert_allclose(found, several.decision_function(features))


def test_logistic_regression_is_that_of_scikit_learn() -> None:
    features, target = data(200)
    for classes in (target > 0, np.digitize(target, [-0.7, 0.7])):
        head = fit_logistic(features, classes.astype(int), 0)
        model = LogisticRegression(C=head.strength, max_iter=2000).fit(features, classes)
        scores = model.decision_function(features).reshape(200, -1)
        np.testing.assert_allclose(head.scores(features), scores, atol=1e-6)


def test_the_gaussian_process_agrees_with_scikit_learn() -> None:
    features, target = data(40)
    parameters = np.log([0.5, 0.2, 0.8, 0.05])
    head = fit_gaussian_process(features, target, (4,), 0, parameters)
    kernel = (
        ConstantKernel(1.0)
        + ConstantKernel(0.2) * DotProduct(0.0, "fixed")
        + ConstantKernel(0.8) * Matern(1 / np.sqrt(0.5), nu=2.5)
        + WhiteKernel(0.05)
    )
    reference = GaussianProcessRegressor(kernel, optimizer=None)
    reference.fit(features, (target - head.mean) / head.deviation)
    others, _ = data(9, 1)
    mean, deviation = reference.predict(others, return_std=True)
    np.testing.assert_allclose(head.scores(others)[:, 0], head.mean + head.deviation * mean, atol=1e-4)
    np.testing.assert_allclose(head.spread(others), head.deviation * deviation, atol=1e-4)


def test_a_block_that_says_nothing_is_left_alone() -> None:
    generator = np.random.default_rng(2)
    features, target = data(150)
    noisy = np.hstack([generator.normal(size=(150, 10)) / 3, features / 2])
    head = fit_gaussian_process(noisy, target, (10, 4), 0)
    noise_scale, signal_scale = np.exp(head.parameters[:2])
    assert noise_scale < 0.1 * signal_scale
    far = noisy[:5].copy()
    far[:, 10:] += 20
    assert (head.spread(far) > 2 * head.spread(noisy[:5])).all()


def test_linear_heads_weigh_a_useless_block_down() -> None:
    features, target = data(60)
    code = np.random.default_rng(5).normal(size=(60, 40))
    both = np.hstack([code, features])
    assert fit_ridge(both, target, 40).weight < 1
    head = fit_logistic(both, (target > 0).astype(int), 0, "none", 40)
    assert head.weight < 1
    assert np.abs(head.weights[:40]).max() < np.abs(head.weights[40:]).max()
    again = fit_logistic(both, (target > 0).astype(int), 0, "none", 40, **head.tuned())
    np.testing.assert_allclose(again.weights, head.weights, atol=1e-6)


def test_of_many_molecules_some_are_kept_and_all_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian, "MOST_MOLECULES", 30)
    monkeypatch.setattr(gaussian, "SEARCHES", ((20, 40),))
    features, target = data(400)
    head = fit_gaussian_process(features, target, (4,), 0)
    assert head.features.shape == (30, 4)
    kept = (features.astype(np.float32)[:, None] == head.features).all(2).any(1)
    alone = fit_gaussian_process(features[kept], target[kept], (4,), 0, head.parameters)
    others, truth = data(200, 1)
    errors = [np.abs(each.scores(others)[:, 0] - truth).mean() for each in (head, alone)]
    assert errors[0] < 0.8 * errors[1]


def test_contradictory_values_do_not_run_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian, "SEARCHES", ((60, 40),))
    features, _ = data(80)
    target = features[:, 0]
    searched = np.random.default_rng(0)
    searched.permutation(80)
    seen = searched.permutation(80)[:60]
    # The same molecule twice with other values, where the search for the hyperparameters does not look.
    unseen = np.setdiff1d(np.arange(80), seen)
    features[unseen[0]], target[unseen[0]] = features[unseen[1]], target[unseen[1]] + 1.0
    head = fit_gaussian_process(features, target, (4,), 0)
    assert np.exp(head.parameters[-1]) == pytest.approx(gaussian.LEAST_NOISE)
    assert np.abs(head.weights).max() < 1 / gaussian.LEAST_NOISE


def test_of_molecules_that_are_nearly_alike_all_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian, "MOST_MOLECULES", 500)
    monkeypatch.setattr(gaussian, "SEARCHES", ((200, 40),))
    generator = np.random.default_rng(0)
    kinds = (generator.random((150, 80)) < 0.05) / 5.0
    features = kinds[generator.integers(0, 150, 1500)]
    target = (features[:, :5].sum(axis=1) > 0.1).astype(float)
    head = fit_gaussian_process(features, target, (80,), 0)
    assert np.abs(head.scores(features)[:, 0] - target).mean() < 0.05


def test_what_all_teach_is_what_the_kept_teach_where_all_are_kept() -> None:
    features, target = data(60)
    head = fit_gaussian_process(features, target, (4,), 0)
    standardised = (target - head.mean) / head.deviation
    points = head.features.astype(np.float64)
    weights = gaussian._project(points, points, standardised, (4,), head.parameters)
    found = replace(head, weights=weights).scores(points)
    np.testing.assert_allclose(found, head.scores(points), atol=1e-3 * head.deviation)


def test_scaling_fills_gaps_and_weighs_blocks_alike() -> None:
    generator = np.random.default_rng(0)
    blocks = {
        "code": generator.normal(5, 100, (200, 8)),
        "descriptors": np.column_stack([generator.normal(size=(200, 3)), np.ones(200), np.full(200, np.nan)]),
        "ecfp": generator.poisson(0.3, (200, 50)).astype(float),
    }
    blocks["code"][::5, 0] = np.nan
    scaling = fit_scaling(blocks, ("code", "descriptors", "ecfp"))
    assert scaling.kept_sizes == (8, 3, 50)
    scaled = scaling(blocks)
    assert np.isfinite(scaled).all()
    for block in np.split(scaled, [8, 11], axis=1):
        assert np.sum(block**2, axis=1).mean() == pytest.approx(1, abs=0.05)
    outlier = {name: values[:1].copy() for name, values in blocks.items()}
    outlier["descriptors"][0, 0] = 1e30
    assert np.abs(scaling(outlier)).max() < 5


def test_scaling_weighs_kinds_of_fingerprints_alike() -> None:
    generator = np.random.default_rng(0)
    rates = [0.1, 3.0, *[0.5] * (FINGERPRINT_KINDS - 3), 0.0]  # the last kind tells nothing
    fingerprints = np.hstack([generator.poisson(rate, (200, 50)).astype(float) for rate in rates])
    scaled = fit_scaling({"fingerprints": fingerprints}, ("fingerprints",))({"fingerprints": fingerprints})
    telling = FINGERPRINT_KINDS - 1
    assert scaled.shape == (200, 50 * telling)
    for kind in np.split(scaled, telling, axis=1):
        assert np.sum(kind**2, axis=1).mean() == pytest.approx(1 / telling)
