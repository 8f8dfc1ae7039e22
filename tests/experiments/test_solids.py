"""The solids are what their names say, and the models have the symmetries that they should have."""

from __future__ import annotations

from argparse import Namespace

import pytest
import solids
import torch

from molae.testing import equivariance_gap


@pytest.fixture(scope="module")
def clouds():
    torch.manual_seed(0)
    return solids.draw(4, 0.03)


def model(name):
    torch.manual_seed(0)
    return solids.MODELS[name](8, 6)


def test_points_lie_on_the_surfaces():
    torch.manual_seed(0)
    ball, cube, tube = solids.sphere(5), solids.box(5), solids.cylinder(5)
    assert torch.allclose(ball.norm(dim=2), torch.ones(5, solids.POINTS))
    assert torch.allclose(cube.abs().amax(2), torch.ones(5, solids.POINTS))
    radius = tube[:, :, :2].norm(dim=2)
    assert torch.allclose(torch.maximum(radius, tube[:, :, 2].abs()), torch.ones(5, solids.POINTS))
    ring = solids.torus(5)
    tube = torch.stack([ring[:, :, :2].norm(dim=2) - 1, ring[:, :, 2]])
    assert torch.allclose(tube.norm(dim=0), torch.full((5, solids.POINTS), 0.4), atol=1e-6)
    assert torch.allclose(solids.cone(5)[:, :, 2].clamp(max=-1), torch.full((5, solids.POINTS), -1.0))
    inside = solids.tetrahedron(5)
    # Each face is where one of four sums of signed coordinates has its extreme, -1.
    faces = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    assert torch.allclose((inside @ faces.T).amin(2), torch.full((5, solids.POINTS), -1.0), atol=1e-5)


def test_codes_of_the_invariant_model_do_not_change(clouds):
    def gap(name, group):
        return equivariance_gap(model(name).code, group, clouds[0]).max()

    assert gap("invariant", solids.GROUP) < 1e-4
    assert gap("set", solids.GROUP.second) < 1e-4
    assert gap("set", solids.MOTIONS) > 0.1
    assert gap("classical", solids.GROUP) > 0.1


def test_the_group_element_is_one_and_moves_decoded_points_onto_the_cloud(clouds):
    made = model("invariant")
    decoded, element = made.reconstruct(clouds[0])
    assert solids.GROUP.contains(element, tolerance=1e-4).all()
    assert torch.equal(made(clouds[0]), solids.GROUP.act(element, decoded))
    moved = solids.present(clouds[0])
    error, again = ((made(x) - x).square().mean((1, 2)) for x in (clouds[0], moved))
    assert torch.allclose(error, again, rtol=1e-2)


@pytest.mark.parametrize("name", list(solids.MODELS))
def test_training_makes_a_model_better(clouds, name):
    made = model(name)
    before = (made(clouds[0]) - clouds[0]).square().mean()
    solids.fit(made, clouds[0], Namespace(learning_rate=3e-3, steps=20, batch_size=8))
    assert (made(clouds[0]) - clouds[0]).square().mean() < before
    figures = solids.measure(made, clouds, clouds)
    assert 0 <= figures["linear"] <= 1
    assert figures["error"] > 0
