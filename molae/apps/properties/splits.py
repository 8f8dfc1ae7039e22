"""Which rows train and which test: by scaffold, at random, by a column of the user's own, or by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int
from sklearn.model_selection import GroupKFold

from molae.errors import ConfigError, DataError

SplitKind = Literal["scaffold", "random", "column", "time"]

_TRAIN_WORDS = ("train", "training", "valid", "validation", "val")
_TEST_WORDS = ("test", "testing", "holdout")
# No time, as of an empty cell, is the lowest of all integers to NumPy.
_NO_TIME = float(np.datetime64("NaT", "s").astype(np.int64))


@dataclass(frozen=True)
class Split:
    """Places of the molecules of both parts, sorted.

    Attributes:
        train: Those to fit on.
        test: Those to measure on.
    """

    train: Int[np.ndarray, " n"]
    test: Int[np.ndarray, " m"]


def scaffold_groups(scaffolds: Sequence[str], skeletons: Sequence[str]) -> np.ndarray:
    """Groups of molecules that a scaffold split never parts.

    Args:
        scaffolds: Scaffold of each molecule, empty where it has no ring.
        skeletons: SMILES without stereo: a molecule without rings forms a group with its stereoisomers.
    Returns:
        A number for each molecule, the same for the same group, whatever the order of the rows.
    """
    return _numbered(
        [scaffold or f"acyclic {own}" for scaffold, own in zip(scaffolds, skeletons, strict=True)]
    )


def molecule_groups(skeletons: Sequence[str]) -> np.ndarray:
    """Groups of stereoisomers and of repeated molecules, which no split should part."""
    return _numbered(skeletons)


def split_by_groups(groups: np.ndarray, test_size: float, seed: int) -> Split:
    """Draws whole groups for the test part until it is full.

    Groups larger than half of the test part always train, so that no single one decides what is measured
    (the balanced scaffold split of chemprop: Yang et al. 2019, doi:10.1021/acs.jcim.9b00237).

    Args:
        groups: Group of each molecule.
        test_size: Share of the molecules that test, between 0 and 1.
        seed: Seed of the draw.
    Returns:
        The split; the test part has at most the share asked for.
    Raises:
        ConfigError: If the share is not between 0 and 1.
        DataError: If no group fits into the test part.
    """
    if not 0 < test_size < 1:
        raise ConfigError(f"test size: expected a share between 0 and 1, got {test_size}")
    wanted = max(1, round(test_size * len(groups)))
    names, sizes = np.unique(groups, return_counts=True)
    chosen, taken = [], 0
    for place in np.random.default_rng(seed).permutation(len(names)):
        size = sizes[place]
        if size <= max(1, wanted / 2) and taken + size <= wanted:
            chosen.append(names[place])
            taken += size
    if not chosen or taken == len(groups):
        raise DataError(
            f"no test part of {wanted} molecules can be drawn: nearly all share one scaffold, or are the same"
            " molecule; split at random, or by a column of your own"
        )
    return _split(np.isin(groups, chosen))


def split_by_column(values: Sequence[object]) -> Split:
    """Takes the parts that a column names: `test`, and `train` (`valid` trains too).

    Raises:
        DataError: If a value is none of these words, or a part is empty.
    """
    words = [str(value or "").strip().lower() for value in values]
    unknown = sorted({word for word in words if word not in (*_TRAIN_WORDS, *_TEST_WORDS)})
    if unknown:
        raise DataError(f"the split column holds {unknown[0]!r}, expected train, valid or test in every row")
    return _checked(_split(np.array([word in _TEST_WORDS for word in words])))


def split_by_time(values: Sequence[object], test_size: float) -> Split:
    """Tests on the latest molecules; those of the same time stay together.

    Args:
        values: Numbers, dates of ISO 8601, or text of them.
        test_size: Share of the molecules that test, between 0 and 1, about.
    Returns:
        The split.
    Raises:
        ConfigError: If the share is not between 0 and 1.
        DataError: If a value is neither number nor date, or a part would be empty.
    """
    if not 0 < test_size < 1:
        raise ConfigError(f"test size: expected a share between 0 and 1, got {test_size}")
    times = _times(values)
    border = np.sort(times)[len(times) - max(1, round(test_size * len(times)))]
    return _checked(_split(times >= border))


def folds(groups: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Folds for cross-validation that part no group.

    Args:
        groups: Group of each molecule.
        count: Number of folds; fewer where there are fewer groups.
    Yields:
        Places of the molecules to fit on, and of those to predict.
    Raises:
        DataError: If all molecules are of one group.
    """
    count = min(count, len(np.unique(groups)))
    if count < 2:
        raise DataError(
            "all molecules share one scaffold, or are the same one, so that none can be held out: hold out"
            " random ones (--split random, groups='random')"
        )
    yield from GroupKFold(count).split(groups, groups=groups)


def _split(test: np.ndarray) -> Split:
    return Split(np.flatnonzero(~test), np.flatnonzero(test))


def _checked(split: Split) -> Split:
    for name, part in (("training", split.train), ("test", split.test)):
        if not len(part):
            raise DataError(f"the {name} part of the split is empty")
    return split


def _numbered(names: Sequence[str]) -> np.ndarray:
    return np.unique(np.array(names, dtype=str), return_inverse=True)[1]


def _times(values: Sequence[object]) -> np.ndarray:
    texts = [str(value).strip() for value in values]
    for parse in (lambda text: float(text), lambda text: np.datetime64(text, "s").astype(float)):
        try:
            times = np.array([parse(text) for text in texts], dtype=float)
        except ValueError:
            continue
        if np.isfinite(times).all() and not (times == _NO_TIME).any():
            return times
    raise DataError(
        "the time column must hold a number, or a date such as 2024-05-31, in every row that is used"
        f"{_first_without(texts)}"
    )


def _first_without(texts: Sequence[str]) -> str:
    """Names the first empty cell, if there is one."""
    empty = [place for place, text in enumerate(texts) if text.lower() in ("", "none", "nan", "nat")]
    return f"; it is empty in {len(empty)}, first in number {empty[0] + 1} of them" if empty else ""
