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
        # In place: the features of many molecules fill a memory that holds no second copy.
        scaled = _joined(blocks, self.names)
        _fill(scaled, self.median)
        scaled -= self.mean
        scaled /= self.scale
        for name, columns in self.columns().items():
            if name not in _COUNTS:
                limit = _MOST_DEVIATIONS / np.sqrt(max(1, np.isfinite(self.scale[columns]).sum()))
                np.clip(scaled[:, columns], -limit, limit, out=scaled[:, columns])
        return scaled[:, np.isfinite(self.scale)]

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
    filled = _joined(blocks, names)
    median = np.array([_median(column) for column in filled.T])
    _fill(filled, median)
    deviation = filled.std(axis=0)
    # What varies by rounding alone would be blown up.
    deviation[deviation <= 1e-6 * np.abs(filled).max(axis=0)] = 0.0
    sizes = tuple(blocks[name].shape[1] for name in names)
    scaling = Scaling(names, sizes, median, filled.mean(axis=0), np.full(filled.shape[1], np.inf))
    for name, columns in scaling.columns().items():
        own = deviation[columns]
        scaling.scale[columns] = _counts_scale(own, _COUNTS[name]) if name in _COUNTS else _scale(own)
    return scaling


def _scale(deviation: np.ndarray) -> np.ndarray:
    varies = deviation > 0
    return np.where(varies, deviation * np.sqrt(varies.sum()), np.inf)


def _counts_scale(deviation: np.ndarray, kinds: int) -> np.ndarray:
    """One scale for all counts of a kind of fingerprint, so that every kind weighs the same."""
    variance = np.sum(deviation.reshape(kinds, -1) ** 2, axis=1)
    scale = np.sqrt(variance * np.count_nonzero(variance)).repeat(len(deviation) // kinds)
    return np.where(deviation > 0, scale, np.inf)


def _median(column: np.ndarray) -> float:
    """The median of what is known, 0 of nothing."""
    known = column[~np.isnan(column)]
    return float(np.median(known)) if len(known) else 0.0


def _fill(values: np.ndarray, median: np.ndarray) -> None:
    """Puts medians into gaps, in place."""
    row, column = np.nonzero(np.isnan(values))
    values[row, column] = median[column]


def _joined(blocks: Blocks, names: tuple[str, ...]) -> np.ndarray:
    return np.hstack(
        [np.log1p(blocks[name]) if name in _COUNTS else blocks[name] for name in names], dtype=np.float64
    )
