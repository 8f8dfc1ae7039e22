"""Generators are found whose orbits the codes are on, in any coordinates; what cannot be found is refused."""

from __future__ import annotations

import math

import pytest
import torch

from molae.errors import DataError
from molae.nn.symmetry import find_symmetry


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def turned(angle, between, mixing, centre):
    """Codes on a distorted circle, and their partners."""
    circle = (torch.stack([a.cos(), a.sin()], 1) for a in (angle, angle + between))
    return tuple(points @ mixing + centre for points in circle)


@pytest.fixture
def pairs():
    angle = 2 * math.pi * torch.rand(500, generator=generator(), dtype=torch.float64)
    between = torch.rand(500, generator=generator(1), dtype=torch.float64) - 0.5
    mixing = torch.tensor([[2.0, 0.5], [-0.3, 0.4]], dtype=torch.float64)
    centre = torch.tensor([5.0, -7.0], dtype=torch.float64)
    return angle, between, mixing, centre


@pytest.mark.parametrize("compact", [True, False])
def test_a_rotation_is_found_in_distorted_coordinates(pairs, compact):
    found = find_symmetry(*turned(*pairs), compact=compact)
    angle, between, mixing, centre = pairs
    assert found.error < 1e-3
    assert torch.linalg.eigvals(found.generator).imag.abs().tolist() == pytest.approx([1, 1], abs=0.02)
    assert (found.amount.abs() - between.abs()).abs().max() < 0.05
    assert torch.allclose(found.centre, centre, atol=0.1)
    sign = torch.corrcoef(torch.stack([found.amount, between]))[0, 1].sign()
    here, there = turned(angle, torch.full_like(angle, 2.0), mixing, centre)
    assert (found.move(here, 2.0 * sign * torch.ones_like(angle)) - there).norm(dim=1).max() < 0.2


def test_a_rotation_in_a_plane_of_space_leaves_its_axis(pairs):
    angle, between, _, _ = pairs
    height = torch.randn(500, 1, generator=generator(2), dtype=torch.float64)
    flat = turned(angle, between, torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
    found = find_symmetry(*(torch.cat([part, height], 1) for part in flat))
    assert found.error < 5e-3
    assert found.generator[:, 2].abs().max() < 0.05


def test_growth_is_found_only_where_codes_need_not_stay_bounded():
    codes = torch.randn(300, 2, generator=generator(), dtype=torch.float64) + 1
    grown = codes * (torch.rand(300, 1, generator=generator(1), dtype=torch.float64) - 0.5).exp()
    assert find_symmetry(codes, grown, compact=False).error < 1e-3
    assert find_symmetry(codes, grown).error > 0.1


def test_noise_has_no_symmetry():
    codes, other = (torch.randn(500, 4, generator=generator(k)) for k in range(2))
    assert find_symmetry(codes, other).error > 0.3


def test_pairs_without_a_difference_or_without_all_channels_are_refused():
    codes = torch.randn(20, 3, generator=generator())
    with pytest.raises(DataError, match="nothing to find"):
        find_symmetry(codes, codes)
    flat = codes.clone()
    flat[:, 2] = flat[:, 0]
    with pytest.raises(DataError, match="span"):
        find_symmetry(flat, flat + flat.roll(1, 0))
