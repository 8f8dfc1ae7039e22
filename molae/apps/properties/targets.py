"""Columns to predict: numbers or classes, found out from their text."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from molae.apps.properties.model import TaskName
from molae.errors import DataError

logger = logging.getLogger("molae.apps")

Task = Literal["auto", "regression", "classification"]

_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "?"}
MOST_CLASSES = 20
"""A column with more different labels is refused as one of classes."""

_BINARY = ({0.0, 1.0}, {-1.0, 1.0})


@dataclass(frozen=True)
class Target:
    """A column to predict.

    Attributes:
        name: Name of the column.
        task: `regression` or `classification`.
        values: A number, or the index of a class, for each row; NaN where there is no label.
        classes: Names of the classes, in order; empty for a regression.
        unreadable: Rows, from 0, whose label is text where numbers are expected; they count as missing.
    """

    name: str
    task: TaskName
    values: np.ndarray
    classes: tuple[str, ...]
    unreadable: tuple[int, ...]

    @property
    def known(self) -> np.ndarray:
        """Which rows have a label."""
        return ~np.isnan(self.values)


def read_target(name: str, cells: Sequence[object], task: Task = "auto") -> Target:
    """Reads a column of labels.

    Unless told, a column is taken for classes where its numbers are only 0 and 1 (or -1 and 1), or where it
    is true and false, or other text; for numbers otherwise. Which it was is logged. Text among numbers counts
    as missing, unless the user wants classes.

    Args:
        name: Name of the column.
        cells: What stands in each row: text, numbers or None. Empty cells, `NaN`, `NA` and the like are
            missing.
        task: What to take it for.
    Returns:
        The column.
    Raises:
        DataError: If no row has a label, all have the same, or there are too many classes to be any.
    """
    texts = [_text(cell) for cell in cells]
    labelled = [row for row, text in enumerate(texts) if text is not None]
    if not labelled:
        raise DataError(f"column {name!r} has no label in any row that can be used")
    numbers = {row: number for row in labelled if (number := _number(texts[row])) is not None}
    unreadable = [row for row in labelled if row not in numbers]
    if task == "auto":
        task = _detect(name, labelled, numbers)
        if task == "classification" and 2 * len(numbers) >= len(labelled):
            texts = [text if row in numbers else None for row, text in enumerate(texts)]
            return replace(_classes(name, texts, numbers), unreadable=tuple(unreadable))
    if task == "classification":
        return _classes(name, texts, {} if unreadable else numbers)
    return _numbers(name, labelled, numbers, texts)


def has_label(cell: object) -> bool:
    """Whether anything stands in a cell but what says that nothing is known."""
    return _text(cell) is not None


def _detect(
    name: str, labelled: list[int], numbers: dict[int, float]
) -> Literal["regression", "classification"]:
    distinct = set(numbers.values())
    if 2 * len(numbers) >= len(labelled) and distinct in _BINARY:
        low, high = sorted(distinct)
        logger.info(
            "%s: classification, all numbers are %g or %g (--task regression overrides)", name, low, high
        )
        return "classification"
    if 2 * len(numbers) < len(labelled):
        logger.info("%s: classification, labels are text (--task regression overrides)", name)
        return "classification"
    logger.info("%s: regression, labels are numbers (--task classification overrides)", name)
    return "regression"


def _numbers(
    name: str, labelled: list[int], numbers: dict[int, float], texts: Sequence[str | None]
) -> Target:
    unreadable = tuple(row for row in labelled if row not in numbers)
    values, example = np.full(len(texts), np.nan), texts[labelled[0]]
    values[list(numbers)] = list(numbers.values())
    if not numbers:
        raise DataError(
            f"column {name!r} holds no numbers, but {example!r} first: numbers have a decimal point and"
            " nothing behind them; use --task classification for classes"
        )
    if len(set(numbers.values())) == 1:
        raise DataError(
            f"column {name!r} is {values[next(iter(numbers))]:g} in every row: there is nothing to learn"
        )
    return Target(name, "regression", values, (), unreadable)


def _classes(name: str, texts: list[str | None], numbers: dict[int, float]) -> Target:
    # 1, 1.0 and 1e0 are one class.
    labels = [
        repr(numbers[row]).removesuffix(".0") if row in numbers else text for row, text in enumerate(texts)
    ]
    sizes = Counter(label for label in labels if label is not None)
    if len(sizes) == 1:
        raise DataError(f"column {name!r} is {next(iter(sizes))!r} in every row: there is nothing to learn")
    if len(sizes) > MOST_CLASSES:
        first = next(row for row, label in enumerate(labels) if label is not None)
        raise DataError(
            f"column {name!r} has {len(sizes)} different labels, at most {MOST_CLASSES} classes are fitted:"
            f" is it the right column? Its first label is {labels[first]!r}; numbers have a decimal point and"
            " nothing behind them"
        )
    names = tuple(sorted(sizes, key=lambda label: (float(label), "") if numbers else (0.0, label)))
    place = {label: index for index, label in enumerate(names)}
    values = np.array([np.nan if label is None else place[label] for label in labels])
    return Target(name, "classification", values, names, ())


def _text(cell: object) -> str | None:
    text = "" if cell is None else str(cell).strip()
    return None if text.lower() in _MISSING else text


def _number(text: str | None) -> float | None:
    if text is None or "_" in text:  # which Python reads past
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
