"""The contract of groups; each fault that a group can have must be found by the assertion meant for it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from molae.groups import (
    CyclicRotations,
    DirectProduct,
    Euclidean,
    ImageRotations,
    Orthogonal,
    SpecialEuclidean,
    SpecialOrthogonal,
    SymmetricGroup,
    Translations,
)
from molae.testing import check_group

POINTS = (Orthogonal(3), SpecialOrthogonal(3), Translations(3), Euclidean(3), SpecialEuclidean(3))
IMAGES = (CyclicRotations(4), CyclicRotations(8), CyclicRotations(9), ImageRotations())
TUTORIAL = Path(__file__).parents[2] / "tutorials" / "your_own_group.py"


def points(dtype=torch.float64):
    return torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)


def images(dtype=torch.float64):
    """Blobs off the centre, three for each image."""
    at = torch.linspace(-8, 8, 25, dtype=dtype)
    centres = 5 * (torch.rand(6, 3, 2, generator=torch.Generator().manual_seed(0), dtype=dtype) - 0.5)
    rows, columns = ((at - centres[..., k, None]) ** 2 for k in range(2))
    return torch.exp(-(rows.unsqueeze(3) + columns.unsqueeze(2)) / 4).sum(1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_groups_keep_their_contract(dtype):
    for group in (*POINTS, SymmetricGroup(5), *(DirectProduct(g, SymmetricGroup(5)) for g in POINTS)):
        check_group(group, points(dtype)).require()
    for group in IMAGES:
        check_group(group, images(dtype)).require()


class TurnsTheOtherWay(SpecialOrthogonal):
    """A right action: compose is in the wrong order for it."""

    def act(self, a, x):
        return x @ a


class ForgetsToTurn(SpecialEuclidean):
    def inverse(self, a):
        return a._replace(rotation=a.rotation.mT, translation=-a.translation)


class NotAssociative(Translations):
    def compose(self, a, b):
        return a + b / 2


class MovesByNothing(Translations):
    def identity(self, batch_size, **settings):
        return super().identity(batch_size, **settings) + 1e-3


class Narrow(SpecialOrthogonal):
    def contains(self, a, tolerance=1e-6):
        return super().contains(a, tolerance) & (a[:, 0, 0] > 0)


class Unseeded(SymmetricGroup):
    def sample(self, batch_size, **settings):
        return super().sample(batch_size)


class Stuck(SymmetricGroup):
    def sample(self, batch_size, **settings):
        return self.identity(batch_size)


class Blurs(CyclicRotations):
    """Resamples what it declares to move exactly."""

    exact = True


@pytest.mark.parametrize(
    ("group", "found"),
    [
        (TurnsTheOtherWay(3), "assert_action_composes"),
        (ForgetsToTurn(3), "assert_inverse_undoes"),
        (NotAssociative(3), "assert_associative"),
        (MovesByNothing(3), "assert_identity_neutral"),
        (Narrow(3), "assert_closed"),
        (Unseeded(5), "assert_sampling_seeded"),
        (Stuck(5), "assert_sampling_seeded"),
    ],
    ids=lambda case: type(case).__name__ if not isinstance(case, str) else case,
)
def test_broken_groups_are_found(group, found):
    assert found in check_group(group, points()).failed


def test_an_approximate_action_must_be_declared():
    assert "assert_action_composes" in check_group(Blurs(8), images()).failed
    check_group(CyclicRotations(8), images()).require()


def test_an_action_that_is_far_off_is_found_although_it_is_approximate():
    class Wrong(CyclicRotations):
        def act(self, a, x):
            return super().act(a * a % 8, x)

    assert "assert_action_composes" in check_group(Wrong(8), images()).failed


def test_the_group_of_the_tutorial_keeps_its_contract():
    assert len(TUTORIAL.read_text(encoding="utf-8").splitlines()) < 60
    check_group(runpy.run_path(str(TUTORIAL))["Scalings"](), points()).require()
