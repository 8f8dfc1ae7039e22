"""The shapes are presented as they should be, and a model of any code size trains."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import pytest
import tetris
import torch

from molae.testing.shapes import TETRIS

SETTINGS = Namespace(head_width=16, head_depth=2, learning_rate=2e-3, steps=20, batch_size=32, verbose=False)
KINDS = np.arange(2 * len(TETRIS)) % len(TETRIS)

needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs torch 2.9")


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_noise_has_its_deviation_and_presentations_keep_distances(random):
    many = np.zeros(5000, dtype=int)
    noise = tetris.points(many, 0.01, random) - tetris.points(many, 0.0, random)
    assert noise.std() == pytest.approx(0.01, rel=0.02)

    def distances(pos):
        return np.sort(np.linalg.norm(pos[:, :, None] - pos[:, None], axis=3).reshape(len(pos), -1))

    pos = tetris.points(KINDS, 0.01, random)
    moved = tetris.present(pos, random)
    assert np.abs(moved - pos).max() > 0.1
    assert np.allclose(distances(moved), distances(pos))


@needs_muon
@pytest.mark.parametrize("kind", ["invariant", *tetris.BASELINES])
@pytest.mark.parametrize("code_size", [2, 8])
def test_training_makes_a_model_better_and_invariance_is_exact(random, kind, code_size):
    pos = tetris.points(KINDS, 0.01, random)
    pool = tetris.order(pos)

    def trained(steps):
        torch.manual_seed(0)
        model = tetris.build(kind, code_size, SETTINGS)
        return tetris.fit(pool, model, Namespace(**(vars(SETTINGS) | {"steps": steps})))

    error = [tetris.errors(trained(steps), pool).mean() for steps in (1, 20, 20)]
    assert error[1] < error[0]
    assert error[1] == error[2]
    changes = tetris.invariance(trained(1), pos, random)
    if kind in ("invariant", "norm-pooled"):
        assert max(changes.values()) < 1e-9
    else:
        assert changes["code_change"] > 1e-3


def test_the_quotient_divides_out_motions_and_renumberings_but_no_reflections(random):
    model = tetris.Quotient(2, 8, 1)
    shape = torch.from_numpy(tetris.points(KINDS, 0.01, random))
    moved = torch.from_numpy(tetris.present(shape.numpy(), random))
    assert model.compare(shape, moved).max() < 1e-12
    apart = model.compare(shape, shape * torch.tensor([1.0, 1.0, -1.0]))
    chiral = torch.from_numpy(KINDS < 2)
    assert apart[chiral].min() > 1e-2 > apart[~chiral].max()
