"""The group axioms, for every group."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

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

NODES = 5
POINTS = {
    "S_n": SymmetricGroup(NODES),
    "O(3)": Orthogonal(3),
    "SO(3)": SpecialOrthogonal(3),
    "T(3)": Translations(3, spread=3.0),
    "E(3)": Euclidean(3),
    "SE(3)": SpecialEuclidean(3),
    "SE(3) x S_n": DirectProduct(SpecialEuclidean(3), SymmetricGroup(NODES)),
    "S_n x O(3)": DirectProduct(SymmetricGroup(NODES), Orthogonal(3)),
    "E(3) x S_n": DirectProduct(Euclidean(3), SymmetricGroup(NODES)),
}
IMAGES = {
    "C_1 on images": CyclicRotations(1),
    "C_2 on images": CyclicRotations(2),
    "C_4 on images": CyclicRotations(4),
    "C_8 on images": CyclicRotations(8),
    "C_7 on images": CyclicRotations(7),
    "SO(2) on images": ImageRotations(),
    "C_4 x S_n on sets of images": DirectProduct(CyclicRotations(4), SymmetricGroup(NODES)),
}
GROUPS = POINTS | IMAGES
every_group = pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
EXACT = {name: group for name, group in GROUPS.items() if group.exact}
every_exact_group = pytest.mark.parametrize("group", EXACT.values(), ids=EXACT.keys())
APPROXIMATE = {name: group for name, group in GROUPS.items() if name not in EXACT}
every_approximate_group = pytest.mark.parametrize("group", APPROXIMATE.values(), ids=APPROXIMATE.keys())
seeds = st.integers(0, 2**31)
batch_sizes = st.integers(0, 4)


def draw(group, seed, batch_size, count):
    generator = torch.Generator().manual_seed(seed)
    shape = (NODES, 6, 6) if group in IMAGES.values() else (NODES, 3)
    x = torch.randn(batch_size, *shape, generator=generator, dtype=torch.float64)
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
    if group.exact:
        assert_same(group.act(group.inverse(a), group.act(a, x)), x)


@every_exact_group
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


@every_approximate_group
@given(seed=seeds)
def test_an_approximate_action_is_linear_and_exact_by_quarter_turns(group, seed):
    x, (a,) = draw(group, seed, 3, 1)
    other, _ = draw(group, seed + 1, 3, 0)
    assert_same(group.act(a, 2 * x + other), 2 * group.act(a, x) + group.act(a, other))
    turned = torch.rot90(x, 1, (-2, -1))
    assert_same(group.act(a, turned), torch.rot90(group.act(a, x), 1, (-2, -1)))


@every_group
def test_samples_differ_between_graphs_and_repeat_with_the_seed(group):
    x, (a,) = draw(group, 0, 8, 1)
    moved = group.act(a, x[:1].expand_as(x))
    elements = torch.cat([leaf.reshape(8, -1).double() for leaf in leaves(a)], dim=1)
    assert len(moved.flatten(1).unique(dim=0)) == len(elements.unique(dim=0))
    # Of a few elements, some of eight samples are the same.
    assert len(elements.unique(dim=0)) > 6 or isinstance(group, CyclicRotations)
    assert_same(draw(group, 0, 8, 1)[1][0], a)
