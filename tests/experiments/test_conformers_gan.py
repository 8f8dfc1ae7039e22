"""Rotamers are told as they should be, encoders and critics do not mind the pose, and all models train."""

from __future__ import annotations

import math
from argparse import Namespace

import conformers_gan
import pytest
import torch

from molae.testing import equivariance_gap

SETTINGS = Namespace(width=8, penalty=0.02, steps=3, batch_size=16, learning_rate=1e-3)


@pytest.fixture(scope="module")
def data():
    return conformers_gan.embed(5, 60, 0.03, 0)


@pytest.fixture(scope="module")
def judge(data):
    return conformers_gan.Families.of(data[0])


def test_families_are_the_wells_of_the_torsions():
    angles = torch.tensor([[60.0, 180.0], [-60.0, 60.0], [170.0, -170.0], [-50.0, -70.0]]).deg2rad()
    assert conformers_gan.families(angles).tolist() == [0 + 3, 2 + 0, 1 + 3, 2 + 6]


def test_real_conformers_are_good_and_distorted_ones_are_not(data, judge):
    torch.manual_seed(0)
    x = data[0].draw(500)
    figures = judge.figures(x)
    assert figures["good"] > 0.9
    assert figures["families"] >= 5
    assert figures["histogram"] < 0.15
    assert judge.figures(1.2 * x)["good"] == 0


def test_families_that_are_left_out_are_missed(data, judge):
    pos = data[0].pos
    trans = pos[(conformers_gan.torsions(pos).abs() > 2 * math.pi / 3).all(1)]
    figures = judge.figures(trans)
    assert (figures["families"], figures["shared"]) == (1, 1)
    assert figures["spread"] < judge.figures(trans + 0.03 * torch.randn_like(trans))["spread"]
    assert figures["histogram"] == pytest.approx(1 - float(judge.share.max()), abs=0.05)


def test_neighbours_are_of_the_same_family_in_another_pose(data):
    torch.manual_seed(0)
    x = data[0].draw(200)
    other = data[0].neighbour(x)
    away = (conformers_gan.framed(other) - conformers_gan.framed(x)).flatten(1).norm(dim=1)
    assert (away < conformers_gan.REACH).all()
    assert (away > 1e-3).float().mean() > 0.9
    assert (other - x).norm(dim=(1, 2)).min() > 0.1
    label, same = (conformers_gan.families(conformers_gan.torsions(each)) for each in (x, other))
    assert (label == same).float().mean() > 0.97


def test_what_is_seen_in_the_frame_is_invariant_and_handed(data):
    torch.manual_seed(0)
    x = data[0].draw(50)
    model = conformers_gan.build("IVE-GAN", data[0], SETTINGS)
    assert equivariance_gap(model.encoder, conformers_gan.MOTIONS, x).max() < 1e-4
    assert torch.allclose(model.pair_critic(x, x), model.pair_critic(conformers_gan.present(x), x), atol=1e-3)
    mirrored = conformers_gan.framed(x * torch.tensor([1.0, 1.0, -1.0]))
    assert (mirrored - conformers_gan.framed(x)).abs().amax((1, 2)).min() > 0.01
    posed = conformers_gan.build("posed", data[0], SETTINGS)
    assert equivariance_gap(lambda x: posed.critic(x).unsqueeze(1), conformers_gan.MOTIONS, x).max() > 0.1


@pytest.mark.parametrize("name", conformers_gan.MODELS)
def test_models_train_and_repeat_by_their_seed(name, data, judge):
    def figures():
        torch.manual_seed(0)
        model = conformers_gan.build(name, data[0], SETTINGS)
        model = conformers_gan.fit(model, data[0].draw, SETTINGS)
        return conformers_gan.measure(model, judge, data[1])

    once = figures()
    assert once == figures()
    assert 0 <= once["families"] <= 9
