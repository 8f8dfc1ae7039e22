from __future__ import annotations

import logging

import numpy as np
import pytest

from molae.apps.properties.targets import read_target
from molae.errors import DataError


def test_numbers_are_regression(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "molae.apps"):
        target = read_target("y", ["1.5", " -2e1 ", "", None, "NA", "nan", 3])
    assert (target.task, target.classes) == ("regression", ())
    np.testing.assert_array_equal(target.values, [1.5, -20, np.nan, np.nan, np.nan, np.nan, 3])
    assert target.known.sum() == 3
    assert "regression, labels are numbers (--task classification overrides)" in caplog.text


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["1", "0", "", "1.0"], ("0", "1")),
        (["-1", "1"], ("-1", "1")),
        (["no", "yes", None], ("no", "yes")),
        (["1_2", "3_4"], ("1_2", "3_4")),
        ([True, False], ("False", "True")),
    ],
)
def test_two_values_and_text_are_classes(cells: list[object], classes: tuple[str, ...]) -> None:
    target = read_target("y", cells)
    assert target.task == "classification"
    assert target.classes == classes


def test_the_user_knows_better() -> None:
    assert read_target("y", ["1", "0", "1"], "regression").classes == ()
    target = read_target("y", ["10", "9", "10"], "classification")
    assert target.classes == ("9", "10")
    assert target.values.tolist() == [1, 0, 1]


def test_long_labels_stay_apart() -> None:
    cells = ["1234567", "1234568", "1234567.0", "0.12345678"]
    assert read_target("y", cells, "classification").classes == ("0.12345678", "1234567", "1234568")


def test_stray_text_among_numbers_counts_as_missing() -> None:
    target = read_target("y", ["1", ">5", "2", "inf", "3"])
    assert target.unreadable == (1, 3)
    assert target.known.tolist() == [True, False, True, False, True]


def test_stray_text_among_zeros_and_ones_counts_as_missing() -> None:
    target = read_target("y", ["1", "inconclusive", "0", "0", ""])
    assert (target.task, target.classes, target.unreadable) == ("classification", ("0", "1"), (1,))
    assert target.known.tolist() == [True, False, True, True, False]
    assert len(read_target("y", ["1", "inconclusive", "0"], "classification").classes) == 3


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        (["", None, "NA"], "auto", "no label"),
        (["2", "2.0"], "auto", "'y' is 2 in every row"),
        (["a", "a"], "auto", "'y' is 'a' in every row"),
        ([f"id {n}" for n in range(30)], "auto", "30 different labels"),
        (["a", "b"], "regression", "no numbers"),
    ],
)
def test_what_cannot_be_learned_is_refused(cells: list[object], task: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_target("y", cells, task)  # type: ignore[arg-type]
