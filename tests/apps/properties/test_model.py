from __future__ import annotations

import numpy as np
import pytest

from molae.apps.properties.model import PropertyModel, Recipe, fit_property
from molae.errors import ConfigError, DataError


def made(count: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Features with a property whose noise grows along the second one."""
    generator = np.random.default_rng(seed)
    code = generator.normal(size=(count, 3))
    noise = generator.normal(size=count) * np.where(code[:, 1] > 0, 1.0, 0.1)
    return {"code": code}, code[:, 0] + 0.5 * noise


@pytest.mark.parametrize("estimator", ["ridge", "gp", "boosting"])
def test_intervals_hold_the_truth_as_often_as_they_say(estimator: str) -> None:
    blocks, target = made(300, 0)
    recipe = Recipe("code", estimator)  # type: ignore[arg-type]
    model = fit_property(blocks, target, np.arange(300), recipe)
    others, truth = made(600, 1)
    found = model.predict(others)
    inside = (found.lower <= truth) & (truth <= found.upper)
    assert inside.mean() == pytest.approx(0.9, abs=0.07)
    assert np.corrcoef(found.value, others["code"][:, 0])[0, 1] > 0.95


@pytest.mark.parametrize("estimator", ["ridge", "gp"])
def test_units_do_not_matter(estimator: str) -> None:
    blocks, target = made(200, 0)
    recipe = Recipe("code", estimator)  # type: ignore[arg-type]
    widths = []
    for unit in (1.0, 1e-14):
        found = fit_property(blocks, unit * target, np.arange(200), recipe).predict(blocks)
        widths.append((found.upper - found.lower) / unit)
    np.testing.assert_allclose(*widths, rtol=0.05)


def test_intervals_are_wider_where_errors_are_larger() -> None:
    blocks, target = made(400, 0)
    model = fit_property(blocks, target, np.arange(400), Recipe("code", "ridge"))
    others, _ = made(300, 1)
    found = model.predict(others)
    wide = (found.upper - found.lower)[others["code"][:, 1] > 0.5]
    narrow = (found.upper - found.lower)[others["code"][:, 1] < -0.5]
    assert wide.mean() > 1.3 * narrow.mean()


@pytest.mark.parametrize("estimator", ["ridge", "boosting"])
def test_classes_come_with_probabilities(estimator: str) -> None:
    blocks, target = made(300, 0)
    labels = np.digitize(target, [-0.5, 0.5])
    recipe = Recipe("code", estimator)  # type: ignore[arg-type]
    model = fit_property(blocks, labels, np.arange(300) // 2, recipe, class_count=3)
    others, truth = made(300, 1)
    found = model.predict(others)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    assert (found.value == np.digitize(truth, [-0.5, 0.5])).mean() > 0.6
    assert found.lower.size == 0


@pytest.mark.parametrize("weight", ["none", "balanced"])
def test_a_gaussian_process_tells_two_classes_apart(weight: str) -> None:
    blocks, target = made(300, 0)
    labels = (target > 1.0).astype(int)
    recipe = Recipe("code", class_weight=weight)  # type: ignore[arg-type]
    assert recipe.estimator_for(2) == "gp"
    model = fit_property(blocks, labels, np.arange(300) // 2, recipe, class_count=2)
    others, truth = made(2000, 1)
    found = model.predict(others).probabilities[:, 1]
    known = truth > 1.0
    assert found[known].mean() > found[~known].mean() + 0.3
    assert found.mean() == pytest.approx(known.mean(), abs=0.05)
    sure = found > 0.8
    assert known[sure].mean() > 0.75
    assert (model.predict(others).value.mean() > 1.3 * labels.mean()) == (weight == "balanced")


def test_rare_classes_may_count_as_much() -> None:
    blocks, _ = made(400, 0)
    labels = (blocks["code"][:, 0] + np.random.default_rng(0).normal(size=400) > 2.2).astype(int)
    found = {}
    for weight in ("none", "balanced"):
        recipe = Recipe("code", "ridge", class_weight=weight)  # type: ignore[arg-type]
        found[weight] = fit_property(blocks, labels, np.arange(400), recipe, class_count=2).predict(blocks)
    assert found["balanced"].value.mean() > 2 * labels.mean()
    assert found["none"].value.mean() < labels.mean()
    # The probabilities are those of the molecules either way.
    for each in found.values():
        assert each.probabilities[:, 1].mean() == pytest.approx(labels.mean(), abs=0.03)


def test_the_same_seed_gives_the_same_model() -> None:
    blocks, target = made(60, 0)
    models = [fit_property(blocks, target, np.arange(60), Recipe("code", "boosting", seed=4)) for _ in "ab"]
    np.testing.assert_array_equal(models[0].predict(blocks).upper, models[1].predict(blocks).upper)


def test_a_large_table_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("molae.apps.properties.model.MOST_MOLECULES", 50)
    blocks, target = made(60, 0)
    with caplog.at_level("INFO", "molae.apps"):
        fit_property(blocks, target, np.arange(60) // 20, Recipe("code", "ridge"))
        fit_property(*made(40, 0), np.arange(40), Recipe("code", "ridge"))
    told = [f"calibrating: fitting without part {number} of 3" for number in (1, 2, 3)]
    assert [record.message for record in caplog.records] == told


def test_a_class_in_one_group_only_can_be_fitted() -> None:
    blocks, _ = made(40, 0)
    labels = np.array([0] * 20 + [1] * 20)
    model = fit_property(blocks, labels, np.array([0] * 20 + [1] * 20), Recipe("code"), class_count=2)
    assert isinstance(model, PropertyModel)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "code+descriptor"}, "did you mean 'descriptors'"),
        ({"features": "code+code"}, "twice"),
        ({"estimator": "forest"}, "no estimator is called 'forest'"),
        ({"class_weight": "some"}, "none or balanced"),
        ({"coverage": 1.0}, "between 0 and 1"),
    ],
)
def test_recipes_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recipe(**options)  # type: ignore[arg-type]


def test_what_cannot_be_fitted() -> None:
    blocks, target = made(20, 0)
    few = {"code": blocks["code"][:5]}
    with pytest.raises(DataError, match="5 molecules to fit on"):
        fit_property(few, target[:5], np.arange(5), Recipe("code"))
    with pytest.raises(DataError, match="more than one value"):
        fit_property(blocks, np.ones(20), np.arange(20), Recipe("code"))
    with pytest.raises(DataError, match="the same features"):
        fit_property({"code": np.ones((20, 3))}, target, np.arange(20), Recipe("code"))
    with pytest.raises(ConfigError, match="two classes apart, not 3"):
        fit_property(blocks, np.arange(20) % 3, np.arange(20), Recipe("code", "gp"), class_count=3)
