"""The figure is 0 for networks that are equivariant, and tells how far the others are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from molae.groups import CyclicRotations, DirectProduct, Euclidean, SpecialOrthogonal, SymmetricGroup
from molae.testing import equivariance_gap

SPACE = DirectProduct(Euclidean(3), SymmetricGroup(5))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(count=8):
    return torch.randn(count, 5, 3, generator=generator(), dtype=torch.float64)


def gap(network, group, x, **settings):
    return equivariance_gap(network, group, x, generator=generator(), **settings)


def distances(x):
    return (x.unsqueeze(1) - x.unsqueeze(2)).norm(dim=3).flatten(1).sort(1).values


def test_invariant_and_equivariant_networks_have_no_gap():
    assert gap(distances, SPACE, points()).max() < 1e-12
    assert gap(lambda x: 2 * x - x.mean(1, keepdim=True), SPACE, points(), act=SPACE.act).max() < 1e-12
    images = torch.randn(8, 2, 6, 6, generator=generator(), dtype=torch.float64)
    blur = nn.AvgPool2d(3, stride=1, padding=1)
    assert gap(blur, CyclicRotations(4), images, act=CyclicRotations(4).act).max() < 1e-12


@pytest.mark.parametrize("share", [1e-6, 1e-4, 1e-2])
def test_the_gap_grows_with_the_fault(share):
    def fault(share):
        return gap(lambda x: distances(x) + share * x.flatten(1)[:, :1], SPACE, points())

    torch.testing.assert_close(fault(share), share / 1e-3 * fault(1e-3), rtol=0.05, atol=0)
    assert fault(share).min() > 0


def test_an_output_that_ignores_the_pose_has_a_gap_near_the_square_root_of_two():
    def noise(x):
        return torch.randn(len(x), 50, generator=generator(len(x)))

    assert gap(noise, SPACE, points(), samples=32).mean() == pytest.approx(2**0.5, rel=0.1)


def test_equivariance_is_measured_for_the_action_that_is_named():
    group = SpecialOrthogonal(3)
    assert gap(lambda x: x, group, points(), act=group.act).max() < 1e-12
    assert gap(lambda x: x, group, points()).min() > 0.1
    assert gap(distances, group, points(), act=lambda g, y: -y).min() > 0.1


def test_each_row_has_its_own_gap():
    """A network that is only broken on the right of the plane x = 0, for permutations."""

    def broken(x):
        right = (x[:, :, 0].mean(1) > 0).to(x.dtype).unsqueeze(1)
        return x.sum(1) + right * x[:, 0]

    x = points()
    found = gap(broken, SymmetricGroup(5), x)
    right = x[:, :, 0].mean(1) > 0
    assert found[~right].max() < 1e-14 < 0.1 < found[right].min()


def test_a_network_of_one_output_has_no_gap_and_no_nan():
    assert torch.equal(gap(lambda x: torch.ones(len(x), 2), SPACE, points()), torch.zeros(8))


def test_outputs_that_differ_by_rounding_alone_have_no_gap():
    def rounding(x):
        return torch.ones(len(x), 2) + 1e-15 * x[:, 0, :2]

    assert gap(rounding, SPACE, points()).max() < 1e-12


def test_its_mean_square_trains_a_network_towards_invariance():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(15, 1)).double()
    optimizer = torch.optim.Adam(network.parameters(), 0.03)
    x, group = points(64), SymmetricGroup(5)
    before = gap(network, group, x).mean()
    for step in range(200):
        optimizer.zero_grad()
        equivariance_gap(network, group, x, generator=generator(step)).square().mean().backward()
        optimizer.step()
    assert gap(network, group, x).mean() < 0.1 * before


def test_a_network_gains_nothing_by_smaller_outputs():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(15, 4, bias=False)).double()
    gap(network, SPACE, points()).square().mean().backward()
    weight = network[1].weight
    assert weight.grad.norm() > 1e-2
    assert (weight.grad * weight).sum().abs() < 1e-12


def test_the_gradient_is_finite_where_the_gap_is_zero():
    x = points().requires_grad_()
    gap(lambda x: x.sum(1), SymmetricGroup(5), x).sum().backward()
    assert x.grad.isfinite().all()


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="samples"):
        equivariance_gap(distances, SPACE, points(), samples=0)
    with pytest.raises(ValueError, match="a row for each of 8"):
        equivariance_gap(lambda x: x.mean(), SPACE, points())
