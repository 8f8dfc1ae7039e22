"""From raw features to ones of comparable size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from molae.chem.descriptors import FINGERPRINT_KINDS

#: Raw features by the name of their block: `code`, `descriptors`, `fingerprints`, `ecfp`.
Blocks = Mapping[str, Float[np.ndarray, "n _"]]

_MOST_DEVIATIONS = 5.0
# Blocks of counts, and how many kinds of fingerprints each has. Counts of a kind stay as sparse as they are:
# rare environments would become huge.
_COUNTS = {"ecfp": 1, "fingerprints": FINGERPRINT_KINDS}


@dataclass(frozen=True)
class Scaling:
    """Fills gaps with the median, then centres and scales so that every block weighs the same.

    Attributes:
        names: Blocks, in the order of the columns.
        sizes: Raw columns of each block.
        median: Median of each column; the logarithm for counts.
        mean: Mean of each column.
        scale: What each column is divided by, infinite for columns that do not vary.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    median: Float[np.ndarray, " d"]
    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]

    def __call__(self, blocks: Blocks) -> Float[np.ndarray, "n d"]:
        """Scales features; the mean squared distance of two training molecules is about 2 in every block.

        Args:
            blocks: Raw features; blocks that were not fitted are ignored.
        Returns:
            The scaled features that vary, float64, in the order of `names`; cut off beyond 5 standard
            deviations.
        """
        kept = np.isfinite(self.scale)
        columns = self.columns()
        # In place: the features of many molecules fill a memory that holds no second copy.
        scaled = np.hstack(
            [_comparable(name, blocks[name][:, kept[columns[name]]]) for name in self.names], dtype=np.float64
        )
        _fill(scaled, self.median[kept])
        scaled -= self.mean[kept]
        scaled /= self.scale[kept]
        for name, block in zip(self.names, _split(scaled, self.kept_sizes), strict=True):
            if name not in _COUNTS:
                limit = _MOST_DEVIATIONS / np.sqrt(max(1, block.shape[1]))
                np.clip(block, -limit, limit, out=block)
        return scaled

    @property
    def kept_sizes(self) -> tuple[int, ...]:
        """Columns of each block that vary, and are kept."""
        return tuple(int(np.isfinite(self.scale[columns]).sum()) for columns in self.columns().values())

    def columns(self) -> dict[str, slice]:
        """The columns of each block of raw features."""
        ends = np.cumsum(self.sizes)
        return {
            name: slice(int(end) - size, int(end))
            for name, size, end in zip(self.names, self.sizes, ends, strict=True)
        }


def fit_scaling(blocks: Blocks, names: tuple[str, ...]) -> Scaling:
    """Finds medians, means and scales.

    Args:
        blocks: Raw features of the training molecules.
        names: Blocks to use, in order.
    Returns:
        The scaling.
    """
    sizes = tuple(blocks[name].shape[1] for name in names)
    every = [_figures(column) for name in names for column in _comparable(name, blocks[name]).T]
    median, mean, deviation = np.array(every).T
    scaling = Scaling(names, sizes, median, mean, np.full(len(every), np.inf))
    for name, columns in scaling.columns().items():
        own = deviation[columns]
        scaling.scale[columns] = _counts_scale(own, _COUNTS[name]) if name in _COUNTS else _scale(own)
    return scaling


def _figures(column: np.ndarray) -> tuple[float, float, float]:
    """Median of what is known, 0 of nothing; mean and deviation once it fills the gaps."""
    filled = column.astype(np.float64)
    gaps = np.isnan(filled)
    median = 0.0 if gaps.all() else float(np.median(filled[~gaps]))
    filled[gaps] = median
    deviation = float(filled.std())
    # What varies by rounding alone would be blown up.
    varies = deviation > 1e-6 * np.abs(filled).max()
    return median, float(filled.mean()), deviation if varies else 0.0


def _scale(deviation: np.ndarray) -> np.ndarray:
    varies = deviation > 0
    return np.where(varies, deviation * np.sqrt(varies.sum()), np.inf)


def _counts_scale(deviation: np.ndarray, kinds: int) -> np.ndarray:
    """One scale for all counts of a kind of fingerprint, so that every kind weighs the same."""
    variance = np.sum(deviation.reshape(kinds, -1) ** 2, axis=1)
    scale = np.sqrt(variance * np.count_nonzero(variance)).repeat(len(deviation) // kinds)
    return np.where(deviation > 0, scale, np.inf)


def _fill(values: np.ndarray, median: np.ndarray) -> None:
    """Puts medians into gaps, in place."""
    row, column = np.nonzero(np.isnan(values))
    values[row, column] = median[column]


def _comparable(name: str, values: np.ndarray) -> np.ndarray:
    """Logarithms of counts, other features as they are."""
    return np.log1p(values) if name in _COUNTS else values


def _split(values: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Views of the blocks of columns."""
    return np.split(values, np.cumsum(sizes)[:-1], axis=1)
