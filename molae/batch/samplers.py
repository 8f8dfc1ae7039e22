"""Which graphs are in which batch: a pure function of the seed and the step."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


class BucketSampler:
    """Batches of graphs of similar size, with random access by step.

    Every epoch is a permutation of the graphs drawn from the seed; its windows of so many batches are sorted
    by size and cut into batches, which then come in random order. The graphs left over at the end of an
    epoch, fewer than a batch, differ from epoch to epoch. Nothing but the step is needed to go on where a
    run stopped.

    Args:
        sizes: Number of nodes of each graph, shape (graphs,).
        batch_size: Graphs in a batch; fewer only where there are not as many graphs.
        seed: Seed of the order.
        window: Batches whose graphs are sorted by size together: more waste less padding, fewer mix sizes
            better.

    Example:
        >>> sampler = BucketSampler(np.array([3, 9, 3, 9]), batch_size=2, seed=0)
        >>> sorted(map(int, np.concatenate([sampler.batch(0), sampler.batch(1)])))
        [0, 1, 2, 3]
    """

    def __init__(self, sizes: np.ndarray, batch_size: int, seed: int, window: int = 16) -> None:
        if len(sizes) == 0 or batch_size < 1:
            raise ValueError(f"expected graphs and a positive batch size, got {len(sizes)} and {batch_size}")
        self.sizes = np.asarray(sizes)
        self.batch_size = min(batch_size, len(sizes))
        self.seed = seed
        self.window = window
        self._epoch = lru_cache(maxsize=2)(self._order_epoch)

    @property
    def batches_per_epoch(self) -> int:
        """Number of whole batches in an epoch."""
        return len(self.sizes) // self.batch_size

    def batch(self, step: int) -> np.ndarray:
        """The graphs of the batch of one step, as indices into `sizes`."""
        epoch, position = divmod(step, self.batches_per_epoch)
        return self._epoch(epoch)[position]

    def _order_epoch(self, epoch: int) -> np.ndarray:
        """All batches of an epoch, shape (batches, batch_size)."""
        random = np.random.default_rng((self.seed, epoch))
        kept = random.permutation(len(self.sizes))[: self.batches_per_epoch * self.batch_size]
        windows = [
            window[np.argsort(self.sizes[window], kind="stable")]
            for window in np.split(
                kept, range(self.window * self.batch_size, len(kept), self.window * self.batch_size)
            )
        ]
        batches = np.concatenate(windows).reshape(-1, self.batch_size)
        return batches[random.permutation(len(batches))]


def share(batch: np.ndarray, rank: int, processes: int) -> np.ndarray:
    """The graphs of a batch that one of several processes takes; all get similar sizes.

    Args:
        batch: Indices of the whole batch, shape (b,).
        rank: Which process, from 0.
        processes: Number of processes.
    Returns:
        Indices of the share; the shares of all processes make up the batch.
    Raises:
        ValueError: If there are fewer graphs than processes.
    """
    if len(batch) < processes:
        raise ValueError(f"{len(batch)} graphs cannot be shared by {processes} processes: use fewer")
    return batch[rank::processes]
