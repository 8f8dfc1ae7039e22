from __future__ import annotations

import torch
from torch import nn

from molae.groups import CyclicRotations, SpecialEuclidean, SymmetricGroup, Translations
from molae.nn.canonical import Canonicalised
from molae.testing import equivariance_gap


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(size):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 16), nn.Tanh(), nn.Linear(16, 4)).double()


def points(*shape):
    return torch.randn(*shape, generator=generator(), dtype=torch.float64)


def test_sorting_makes_any_network_invariant_to_renumbering():
    x = points(6, 5, 3)
    sort = Canonicalised(network(15), SymmetricGroup(5), lambda x: x[:, :, 0].argsort(1).argsort(1))
    assert equivariance_gap(network(15), SymmetricGroup(5), x, generator=generator()).min() > 0.1
    assert (
        equivariance_gap(lambda x: sort(x).output, SymmetricGroup(5), x, generator=generator()).max() < 1e-14
    )
    first = sort.group.act(sort.group.inverse(sort(x).element), x)[:, :, 0]
    assert (first.diff(dim=1) > 0).all()


def test_turning_the_brightest_quadrant_to_one_corner_makes_any_network_invariant():
    def find(x):
        quadrants = torch.stack([torch.rot90(x, -k, (1, 2))[:, :3, :3].sum((1, 2)) for k in range(4)], 1)
        return quadrants.argmax(1)

    x, group = points(6, 6, 6), CyclicRotations(4)
    turn = Canonicalised(network(36), group, find)
    assert equivariance_gap(lambda x: turn(x).output, group, x, generator=generator()).max() < 1e-14


def test_the_element_carries_the_pose_and_its_finder_is_trained():
    finder = nn.Linear(3, 1).double()
    model = Canonicalised(network(12), Translations(3), lambda x: (finder(x) * x).mean(1))
    output, element = model(points(6, 4, 3))
    assert output.shape == (6, 4)
    assert Translations(3).contains(element).all()
    output.square().sum().backward()
    assert finder.weight.grad.abs().sum() > 0


def test_it_is_no_more_invariant_than_the_finder_is_equivariant():
    group = SpecialEuclidean(3)
    model = Canonicalised(network(12), group, lambda x: group.identity(len(x), dtype=x.dtype))
    gap = equivariance_gap(lambda x: model(x).output, group, points(6, 4, 3), generator=generator())
    assert gap.min() > 0.1
