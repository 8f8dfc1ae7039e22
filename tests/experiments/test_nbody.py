"""The simulation keeps what physics keeps, and the models have the symmetries that they should have."""

from __future__ import annotations

from argparse import Namespace

import nbody
import pytest
import torch

from molae.groups import SymmetricGroup, Translations


@pytest.fixture(scope="module")
def data():
    return nbody.simulate(16, torch.Generator().manual_seed(0))


def model(name):
    torch.manual_seed(0)
    made = nbody.MODELS[name](8, 2)
    # Some models start as uniform motion, which has every symmetry.
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def test_the_centre_of_mass_moves_on_uniformly(data):
    moved = data.pos.mean(1) + (nbody.TOLD - nbody.SEEN) * nbody.STEP * data.velocity.mean(1)
    assert torch.allclose(data.later.mean(1), moved, atol=1e-4)


def test_the_same_seed_gives_the_same_systems(data):
    again = nbody.simulate(16, torch.Generator().manual_seed(0))
    assert all(torch.equal(one, other) for one, other in zip(data, again, strict=True))


@pytest.mark.parametrize("name", ["linear", "averaged", "averaged-later", "distances", "velocities"])
def test_equivariant_models_have_no_gap(data, name):
    assert nbody.gap(model(name), data) < 1e-4


def test_the_plain_model_has_one(data):
    assert nbody.gap(model("plain"), data) > 0.05
    assert nbody.gap(model("averaged-later").train(), data) > 0.05


def test_only_frames_of_rotations_mind_reflections(data):
    assert nbody.gap(model("distances"), data, nbody.REFLECTIONS) < 1e-4
    assert nbody.gap(model("averaged"), data, nbody.REFLECTIONS) > 0.05


@pytest.mark.parametrize("name", list(nbody.MODELS))
def test_models_do_not_mind_numbering_and_place(data, name):
    made, numbering, shift = model(name), SymmetricGroup(nbody.PARTICLES), Translations(3)
    order, away = numbering.sample(16), shift.sample(16)
    charge, pos, velocity = (numbering.act(order, part) for part in data[:3])
    told = made(charge, shift.act(away, pos), velocity)
    assert torch.allclose(told, shift.act(away, numbering.act(order, made(*data[:3]))), atol=1e-3)


def test_training_makes_a_model_better(data):
    settings = Namespace(learning_rate=3e-3, steps=30, batch_size=8)
    torch.manual_seed(0)
    start = nbody.MODELS["velocities"](8, 2)
    before = nbody.errors(start, data).mean()
    assert nbody.errors(nbody.fit(start, data, settings), data).mean() < before
