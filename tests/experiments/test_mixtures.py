"""Mixtures are counted as they should be, and all models train."""

from __future__ import annotations

from argparse import Namespace

import mixtures
import pytest
import torch

SETTINGS = Namespace(width=8, penalty=0.005, steps=3, batch_size=16, learning_rate=1e-3)


@pytest.mark.parametrize(("kind", "modes"), [("grid", 25), ("ring", 8)])
def test_real_samples_find_all_modes(kind, modes):
    torch.manual_seed(0)
    mixture = mixtures.MIXTURES[kind]()
    figures = mixture.figures(mixture.draw(10_000))
    assert figures["modes"] == modes
    assert 0.98 < figures["high_quality"] < 0.995
    assert 0 <= figures["divergence"] < 0.01


def test_modes_that_are_left_out_are_missed():
    mixture = mixtures.grid()
    figures = mixture.figures(mixture.centres[:3].repeat(10, 1))
    assert figures["modes"] == 3
    assert figures["divergence"] == pytest.approx(torch.log(torch.tensor(25 / 3)).item())
    far = mixture.figures(mixture.centres + 10 * mixture.width)
    assert (far["modes"], far["high_quality"]) == (0, 0.0)


def test_neighbours_are_other_samples_of_the_same_mode():
    torch.manual_seed(0)
    mixture = mixtures.ring()
    x = mixture.draw(200)
    other = mixture.neighbour(x)
    assert ((other - x).norm(dim=1) < mixture.reach).all()
    assert ((other != x).any(1)).float().mean() > 0.95


@pytest.mark.parametrize("name", mixtures.MODELS)
def test_models_train_and_repeat_by_their_seed(name):
    def figures():
        torch.manual_seed(0)
        mixture = mixtures.ring()
        model = mixtures.fit(mixtures.build(name, mixture, SETTINGS), mixture.draw, SETTINGS)
        return mixtures.measure(model, mixture)

    once = figures()
    assert once == figures()
    assert 0 <= once["modes"] <= 8
