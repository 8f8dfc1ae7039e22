"""Columns as colours: numbers on a scale, anything else as groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from molae.errors import DataError

MOST_GROUPS = 10
"""Further groups are one, the others."""

MISSING, OTHERS = "(none)", "(others)"


@dataclass(frozen=True)
class Colours:
    """What colours points.

    Attributes:
        name: Name of the column.
        numbers: A number for each point, NaN where there is none; None for groups.
        groups: A group for each point; empty for numbers.
    """

    name: str
    numbers: Float[np.ndarray, " n"] | None
    groups: Sequence[str]

    @property
    def legend(self) -> list[str]:
        """The groups, the largest first, the others and those without a value last."""
        counts = Counter(self.groups)
        known = [group for group, _ in counts.most_common() if group not in (MISSING, OTHERS)]
        return known + [group for group in (OTHERS, MISSING) if group in counts]


def read_colours(name: str, cells: Sequence[Any]) -> Colours:
    """Takes a column for numbers, where all cells are such and more than a few differ, else for groups.

    Args:
        name: Name of the column.
        cells: Its cells, None or empty text where there is nothing.
    Returns:
        The colours.
    Raises:
        DataError: If all cells are empty.
    """
    texts = ["" if cell is None or cell != cell else str(cell).strip() for cell in cells]
    if not any(texts):
        raise DataError(f"column {name!r} is empty where there are codes: colour by another")
    numbers = _numbers(texts)
    if numbers is not None:
        return Colours(name, numbers, ())
    known = [text for text, _ in Counter(filter(None, texts)).most_common()]
    # One more than fits is no reason for a group of others.
    kept = set(known if len(known) <= MOST_GROUPS else known[: MOST_GROUPS - 1])
    return Colours(name, None, [MISSING if not text else text if text in kept else OTHERS for text in texts])


def _numbers(texts: Sequence[str]) -> np.ndarray | None:
    try:
        numbers = np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return None
    finite = numbers[np.isfinite(numbers)]
    # Few whole numbers are classes.
    if len(finite) == 0 or (len(np.unique(finite)) <= MOST_GROUPS and (finite == finite.round()).all()):
        return None
    return np.where(np.isfinite(numbers), numbers, np.nan)
