from __future__ import annotations

import numpy as np
import pytest

from molae.apps.properties.splits import (
    folds,
    molecule_groups,
    scaffold_groups,
    split_by_column,
    split_by_groups,
    split_by_time,
)
from molae.errors import ConfigError, DataError

SCAFFOLDS = ["c1ccccc1"] * 60 + [f"ring {number // 2}" for number in range(20)] + [""] * 20
SKELETONS = [f"molecule {number}" for number in range(99)] + ["molecule 98"]


def test_scaffolds_are_never_parted() -> None:
    groups = scaffold_groups(SCAFFOLDS, SKELETONS)
    assert len(set(groups)) == 1 + 10 + 19
    for seed in range(5):
        split = split_by_groups(groups, 0.2, seed)
        assert not set(groups[split.train]) & set(groups[split.test])
        assert sorted([*split.train, *split.test]) == list(range(100))
        assert 15 <= len(split.test) <= 20
        # The largest group always trains.
        assert split.test.min() >= 60


def test_the_order_of_the_rows_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(100)
    split = split_by_groups(scaffold_groups(SCAFFOLDS, SKELETONS), 0.2, 3)
    turned = scaffold_groups([SCAFFOLDS[i] for i in order], [SKELETONS[i] for i in order])
    assert sorted(order[split_by_groups(turned, 0.2, 3).test]) == split.test.tolist()
    again = split_by_groups(scaffold_groups(SCAFFOLDS, SKELETONS), 0.2, 4)
    assert again.test.tolist() != split.test.tolist()


def test_random_splits_keep_repeated_molecules_together() -> None:
    names = [f"molecule {number % 30}" for number in range(90)]
    groups = molecule_groups(names)
    split = split_by_groups(groups, 0.3, 0)
    assert not {names[place] for place in split.train} & {names[place] for place in split.test}


def test_a_split_needs_more_than_one_group() -> None:
    with pytest.raises(DataError, match="share one scaffold"):
        split_by_groups(np.zeros(50, dtype=int), 0.2, 0)
    with pytest.raises(DataError, match="none can be held out"):
        next(folds(np.zeros(50, dtype=int), 5))
    with pytest.raises(ConfigError, match="between 0 and 1"):
        split_by_groups(np.arange(9), 1.5, 0)


def test_columns_name_the_parts() -> None:
    split = split_by_column(["train", "Test", " valid", "TEST"])
    assert (split.train.tolist(), split.test.tolist()) == ([0, 2], [1, 3])
    with pytest.raises(DataError, match="'maybe'"):
        split_by_column(["train", "maybe", "test"])
    with pytest.raises(DataError, match="expected train, valid or test in every row"):
        split_by_column(["train", None, "test"])
    with pytest.raises(DataError, match="test part"):
        split_by_column(["train", "train"])


@pytest.mark.parametrize(
    "values",
    [
        ["3", "1", "2", "5", "4"],
        [3, 1, 2, 5.5, 4],
        ["2024-03-01", "2023-12-24", "2024-01-31", "2025-01-01", "2024-12-31"],
    ],
)
def test_the_latest_test(values: list[object]) -> None:
    split = split_by_time(values, 0.4)
    assert split.test.tolist() == [3, 4]


def test_a_time_split_has_a_share() -> None:
    with pytest.raises(ConfigError, match="test size"):
        split_by_time([1, 2, 3], 1.5)


@pytest.mark.parametrize("missing", ["", "NaT", None])
def test_times_must_be_there(missing: object) -> None:
    with pytest.raises(DataError, match="time column"):
        split_by_time(["2024-01-01", missing, "2022-05-05"], 0.4)


def test_times_must_be_times() -> None:
    with pytest.raises(DataError, match="time column"):
        split_by_time(["1", "soon"], 0.5)
    with pytest.raises(DataError, match="training part"):
        split_by_time(["7"] * 5, 0.2)


def test_folds_hold_out_every_molecule_once() -> None:
    groups = np.repeat(np.arange(4), 5)
    held = [part for _, part in folds(groups, 10)]
    assert len(held) == 4
    assert sorted(np.concatenate(held)) == list(range(20))
