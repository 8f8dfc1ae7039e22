"""Baselines, on molecules that are unlike those that they were fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from molae.apps.properties import baselines
from molae.apps.properties.baselines import BASELINES, predict_baseline


@pytest.mark.parametrize("name", BASELINES)
def test_a_class_that_nobody_taught_keeps_its_column(name: str) -> None:
    blocks = {"ecfp": np.eye(30), "descriptors": np.random.default_rng(0).random((30, 4))}
    target = np.array([0, 2] * 15)
    found = predict_baseline(name, blocks, target, blocks, 3, 0)
    assert found.shape == (30, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert not found[:, 1].any()


@pytest.mark.parametrize("class_count", [0, 2])
def test_forests_of_many_molecules_draw_some(class_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "_MOST_DRAWN", 60)
    features = np.random.default_rng(0).random((200, 5))
    target = (features[:, 0] > 0.5).astype(int) if class_count else features[:, 0]
    args = ("ECFP4 + random forest", {"ecfp": features}, target, {"ecfp": features}, class_count)
    found = predict_baseline(*args, seed=0)
    np.testing.assert_array_equal(found, predict_baseline(*args, seed=0))
    predicted = found[:, 1] if class_count else found
    assert np.corrcoef(predicted, target)[0, 1] > 0.8
