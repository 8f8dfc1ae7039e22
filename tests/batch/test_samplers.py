from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molae.batch.samplers import BucketSampler, share


@given(graphs=st.integers(1, 200), batch_size=st.integers(1, 64), seed=st.integers(0, 1000))
def test_an_epoch_takes_no_graph_twice_and_leaves_fewer_than_a_batch(
    graphs: int, batch_size: int, seed: int
) -> None:
    sampler = BucketSampler(np.random.default_rng(seed).integers(1, 50, graphs), batch_size, seed)
    epoch = np.concatenate([sampler.batch(step) for step in range(sampler.batches_per_epoch)])
    assert len(set(epoch)) == len(epoch)
    assert graphs - len(epoch) < sampler.batch_size


def test_any_step_can_be_asked_for_in_any_order() -> None:
    sizes = np.random.default_rng(0).integers(1, 50, 100)
    forward = BucketSampler(sizes, 7, seed=3)
    backward = BucketSampler(sizes, 7, seed=3)
    batches = {step: forward.batch(step) for step in range(50)}
    for step in reversed(range(50)):
        np.testing.assert_array_equal(backward.batch(step), batches[step])


def test_epochs_and_seeds_differ() -> None:
    sizes = np.ones(64, dtype=int)
    sampler = BucketSampler(sizes, 64, seed=0)
    assert not np.array_equal(sampler.batch(0), sampler.batch(1))
    assert not np.array_equal(sampler.batch(0), BucketSampler(sizes, 64, seed=1).batch(0))


def test_batches_hold_similar_sizes_in_no_order_of_size() -> None:
    sizes = np.random.default_rng(0).integers(1, 51, 1600)
    sampler = BucketSampler(sizes, 100, seed=0)
    largest = np.array([sizes[sampler.batch(step)].max() for step in range(16)])
    padded, needed = 100 * largest.sum(), sizes.sum()
    assert padded < 1.1 * needed
    assert (np.diff(largest) < 0).any()
    assert (np.diff(largest) > 0).any()


def test_a_narrower_window_mixes_sizes_more() -> None:
    sizes = np.random.default_rng(0).integers(1, 51, 1600)
    spread = [
        np.mean([sizes[sampler.batch(step)].std() for step in range(16)])
        for sampler in (BucketSampler(sizes, 100, 0, window) for window in (16, 4, 1))
    ]
    assert 4 * spread[0] < 2 * spread[1] < spread[2]


@given(graphs=st.integers(4, 100), processes=st.integers(1, 4))
def test_shares_make_up_the_batch_and_are_even(graphs: int, processes: int) -> None:
    batch = np.random.default_rng(0).permutation(graphs)
    shares = [share(batch, rank, processes) for rank in range(processes)]
    assert sorted(np.concatenate(shares)) == sorted(batch)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_too_many_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 graphs cannot be shared by 3 processes"):
        share(np.arange(2), 0, 3)


def test_no_graphs_are_refused() -> None:
    with pytest.raises(ValueError, match="expected graphs"):
        BucketSampler(np.array([]), 4, 0)
