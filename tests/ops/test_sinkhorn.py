from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from molae.groups import SymmetricGroup
from molae.ops import assign, sinkhorn

sizes = st.lists(st.integers(0, 5), min_size=1, max_size=4)
seeds = st.integers(0, 2**31)


def masked(sizes, padding=1):
    return torch.arange(max(sizes) + padding) < torch.tensor(sizes).unsqueeze(1)


def logits_for(mask, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*mask.shape, mask.shape[1], generator=generator, dtype=torch.float64)


@given(sizes=sizes, seed=seeds)
def test_result_is_doubly_stochastic_block_by_block(sizes, seed):
    mask = masked(sizes)
    soft = sinkhorn(logits_for(mask, seed), mask, iterations=200)
    torch.testing.assert_close(soft.sum(dim=2), torch.ones_like(soft[:, :, 0]), atol=1e-12, rtol=0)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones_like(soft[:, 0]), atol=1e-6, rtol=0)
    for graph, size in enumerate(sizes):
        assert (soft[graph, :size, size:] == 0).all()
        assert torch.equal(soft[graph, size:, size:], torch.eye(mask.shape[1] - size, dtype=torch.float64))


def test_padding_changes_nothing_whatever_it_holds():
    logits = logits_for(masked([4], padding=0))
    alone = sinkhorn(logits, masked([4], padding=0))
    padded = torch.full((1, 7, 7), torch.nan, dtype=torch.float64)
    padded[:, :4, :4] = logits
    mask = masked([4], padding=3)
    assert torch.equal(sinkhorn(padded, mask)[:, :4, :4], alone)
    assert assign(padded, mask).tolist() == [[*assign(logits, mask[:, :4])[0].tolist(), 4, 5, 6]]


def test_renumbering_nodes_renumbers_rows():
    mask = masked([6], padding=0)
    logits = logits_for(mask)
    index = torch.tensor([[3, 1, 5, 0, 2, 4]])
    act = SymmetricGroup(6).act
    torch.testing.assert_close(sinkhorn(act(index, logits), mask), act(index, sinkhorn(logits, mask)))
    assert torch.equal(assign(act(index, logits), mask), act(index, assign(logits, mask)))


def test_low_temperature_approaches_the_assignment():
    mask = masked([5, 3])
    logits = logits_for(mask)
    hard = torch.nn.functional.one_hot(assign(logits, mask), mask.shape[1]).double()
    soft = sinkhorn(logits, mask, iterations=500, temperature=0.01)
    torch.testing.assert_close(soft, hard, atol=5e-2, rtol=0)


def test_gradients_are_finite_and_stay_off_the_padding():
    mask = masked([4, 0, 1])
    logits = (100 * logits_for(mask)).requires_grad_()
    (sinkhorn(logits, mask, temperature=0.1) * logits_for(mask, 1)).sum().backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad[~(mask.unsqueeze(1) & mask.unsqueeze(2))] == 0).all()
    small = logits_for(mask).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sinkhorn(x, mask, iterations=3), small)


def test_temperature_must_be_positive():
    mask = masked([2])
    with pytest.raises(ValueError, match="temperature"):
        sinkhorn(logits_for(mask), mask, temperature=0.0)


@given(sizes=sizes, seed=seeds)
def test_assignment_is_a_permutation_of_the_largest_score(sizes, seed):
    mask = masked(sizes)
    scores = logits_for(mask, seed)
    slots = assign(scores, mask)
    assert SymmetricGroup(mask.shape[1]).contains(slots).all()
    for graph, size in enumerate(sizes):
        rows = torch.arange(size)
        best = max(scores[graph, rows, list(order)].sum() for order in itertools.permutations(range(size)))
        torch.testing.assert_close(scores[graph, rows, slots[graph, :size]].sum(), best)


def test_rows_that_agree_on_a_slot_still_get_different_ones():
    scores = torch.tensor([[[9.0, 1.0, 0.0], [9.0, 0.0, 0.0], [9.0, 0.0, 1.0]]])
    assert assign(scores, masked([3], padding=0)).tolist() == [[1, 0, 2]]


def test_scores_that_are_not_finite_are_refused():
    mask = masked([1, 2])
    scores = logits_for(mask)
    scores[1, 0, 1] = torch.nan
    with pytest.raises(ValueError, match="graph 1"):
        assign(scores, mask)
