"""What the axioms do not fix: which elements a group has, how they are drawn and which way they act."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare, kstest

from molae.groups import (
    DirectProduct,
    Euclidean,
    Orthogonal,
    RigidMotion,
    SpecialEuclidean,
    SpecialOrthogonal,
    SymmetricGroup,
    Translations,
    inverse_index,
)

QUARTER = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_permutation_takes_values_at_its_index():
    index = torch.tensor([[2, 0, 1], [0, 2, 1]])
    x = torch.tensor([[10, 20, 30], [40, 50, 60]])
    assert SymmetricGroup(3).act(index, x).tolist() == [[30, 10, 20], [40, 60, 50]]


def test_permuted_edges_follow_their_nodes():
    group, x = SymmetricGroup(6), torch.randn(3, 6, generator=generator())
    index = group.sample(3, generator=generator())
    edges = torch.stack([x.unsqueeze(2) - x.unsqueeze(1), x.unsqueeze(2) * x.unsqueeze(1)], dim=3)
    moved = group.act(index, x)
    expected = torch.stack(
        [moved.unsqueeze(2) - moved.unsqueeze(1), moved.unsqueeze(2) * moved.unsqueeze(1)], dim=3
    )
    assert torch.equal(group.act_matrix(index, edges), expected)
    assert torch.equal(group.act_matrix(index, edges[..., 0]), expected[..., 0])


def test_inverse_index_says_where_values_went():
    index = torch.tensor([[2, 0, 1]])
    assert inverse_index(index).tolist() == [[1, 2, 0]]


def test_permutations_are_uniform():
    draws = SymmetricGroup(3).sample(6000, generator=generator())
    assert chisquare(draws.unique(dim=0, return_counts=True)[1]).pvalue > 0.01


@pytest.mark.parametrize("index", [[0, 0, 1], [0, 1, 3], [-1, 0, 1]])
def test_repeated_or_foreign_indices_are_not_permutations(index):
    assert SymmetricGroup(3).contains(torch.tensor([index, [1, 0, 2]])).tolist() == [False, True]


def test_index_of_other_degree_is_no_element():
    assert not SymmetricGroup(4).contains(torch.tensor([[0, 1, 2]])).any()


def test_rotation_turns_rows_anticlockwise():
    turned = SpecialOrthogonal(3).act(QUARTER, torch.tensor([[[1.0, 0.0, 0.0]]]))
    assert turned.flatten().tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("group", [Orthogonal(3), SpecialOrthogonal(3)])
def test_rotations_are_uniform(group):
    # Haar: every image of a unit vector is uniform on the sphere, and so is its height (Archimedes).
    r = group.sample(4000, generator=generator(1), dtype=torch.float64)
    for row in range(3):
        for column in range(3):
            assert kstest(r[:, row, column], "uniform", args=(-1, 2)).pvalue > 1e-3
    # The trace of a random rotation is 1 + 2 cos θ with mean 0 and mean square 1.
    trace = r.diagonal(dim1=1, dim2=2).sum(dim=1)
    assert abs(trace.mean()) < 0.06
    assert abs(trace.square().mean() - 1) < 0.1


def test_half_of_orthogonal_and_no_special_samples_reflect():
    assert (
        0.45 < (torch.linalg.det(Orthogonal(3).sample(2000, generator=generator())) < 0).float().mean() < 0.55
    )
    assert (torch.linalg.det(SpecialOrthogonal(3).sample(2000, generator=generator())) > 0).all()


@pytest.mark.parametrize(("full", "special"), [(Orthogonal(3), SpecialOrthogonal(3))])
def test_reflections_and_shears_are_told_apart(full, special):
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0])).unsqueeze(0)
    shear = torch.tensor([[[1.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    assert full.contains(mirror)
    assert not special.contains(mirror)
    assert not full.contains(shear)
    assert full.contains(shear, tolerance=0.2)


def test_rigid_motion_turns_before_it_shifts():
    motion = RigidMotion(QUARTER, torch.tensor([[0.0, 0.0, 5.0]]))
    moved = SpecialEuclidean(3).act(motion, torch.tensor([[[1.0, 0.0, 0.0]]]))
    assert moved.flatten().tolist() == [0.0, 1.0, 5.0]


def test_euclidean_groups_differ_by_reflections():
    point_reflection = RigidMotion(-torch.eye(3).unsqueeze(0), torch.zeros(1, 3))
    assert Euclidean(3).contains(point_reflection)
    assert not SpecialEuclidean(3).contains(point_reflection)


def test_translation_spread_scales_samples():
    shifts = Translations(3, spread=10.0).sample(2000, generator=generator())
    assert abs(shifts.std() - 10) < 0.5
    assert not Translations(3).contains(torch.full((1, 3), torch.nan)).any()


def test_factors_of_a_product_commute():
    group = DirectProduct(SpecialEuclidean(3), SymmetricGroup(5))
    g = group.sample(2, generator=generator(), dtype=torch.float64)
    x = torch.randn(2, 5, 3, dtype=torch.float64, generator=generator())
    other_way = group.second.act(g.second, group.first.act(g.first, x))
    torch.testing.assert_close(group.act(g, x), other_way, atol=1e-14, rtol=0)
