"""The group axioms, for every group."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from molae.groups import (
    DirectProduct,
    Euclidean,
    Orthogonal,
    SpecialEuclidean,
    SpecialOrthogonal,
    SymmetricGroup,
    Translations,
)

NODES = 5
GROUPS = {
    "S_n": SymmetricGroup(NODES),
    "O(3)": Orthogonal(3),
    "SO(3)": SpecialOrthogonal(3),
    "T(3)": Translations(3, spread=3.0),
    "E(3)": Euclidean(3),
    "SE(3)": SpecialEuclidean(3),
    "SE(3) x S_n": DirectProduct(SpecialEuclidean(3), SymmetricGroup(NODES)),
    "S_n x O(3)": DirectProduct(SymmetricGroup(NODES), Orthogonal(3)),
}
every_group = pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
seeds = st.integers(0, 2**31)
batch_sizes = st.integers(0, 4)


def draw(group, seed, batch_size, count):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch_size, NODES, 3, generator=generator, dtype=torch.float64)
    return x, [group.sample(batch_size, generator=generator, dtype=torch.float64) for _ in range(count)]


def leaves(element):
    return [element] if isinstance(element, Tensor) else [leaf for part in element for leaf in leaves(part)]


def assert_same(a, b):
    for left, right in zip(leaves(a), leaves(b), strict=True):
        torch.testing.assert_close(left, right, atol=1e-12, rtol=0)


@every_group
@given(seed=seeds, batch_size=batch_sizes)
def test_composition_is_associative(group, seed, batch_size):
    _, (a, b, c) = draw(group, seed, batch_size, 3)
    assert_same(group.compose(group.compose(a, b), c), group.compose(a, group.compose(b, c)))


@every_group
@given(seed=seeds, batch_size=batch_sizes)
def test_identity_is_neutral_and_acts_trivially(group, seed, batch_size):
    x, (a,) = draw(group, seed, batch_size, 1)
    e = group.identity(batch_size, dtype=torch.float64)
    assert_same(group.compose(a, e), a)
    assert_same(group.compose(e, a), a)
    assert_same(group.act(e, x), x)


@every_group
@given(seed=seeds, batch_size=batch_sizes)
def test_inverse_undoes_from_both_sides(group, seed, batch_size):
    x, (a,) = draw(group, seed, batch_size, 1)
    e = group.identity(batch_size, dtype=torch.float64)
    assert_same(group.compose(a, group.inverse(a)), e)
    assert_same(group.compose(group.inverse(a), a), e)
    assert_same(group.act(group.inverse(a), group.act(a, x)), x)


@every_group
@given(seed=seeds, batch_size=batch_sizes)
def test_action_is_a_homomorphism(group, seed, batch_size):
    x, (a, b) = draw(group, seed, batch_size, 2)
    assert_same(group.act(group.compose(a, b), x), group.act(a, group.act(b, x)))


@every_group
@given(seed=seeds, batch_size=batch_sizes)
def test_the_group_is_closed(group, seed, batch_size):
    _, (a, b) = draw(group, seed, batch_size, 2)
    for element in (a, group.compose(a, b), group.inverse(a), group.identity(batch_size)):
        inside = group.contains(element)
        assert inside.shape == (batch_size,)
        assert inside.all()


@every_group
def test_samples_differ_between_graphs_and_repeat_with_the_seed(group):
    x, (a,) = draw(group, 0, 8, 1)
    moved = group.act(a, x[:1].expand(8, -1, -1))
    assert moved.flatten(1).unique(dim=0).shape[0] == 8
    assert_same(draw(group, 0, 8, 1)[1][0], a)
