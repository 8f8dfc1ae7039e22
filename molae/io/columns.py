"""Finding the column that holds the molecules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from molae.errors import DataError
from molae.registry import nearest

# In the order of preference; compared without case, blanks and punctuation.
SMILES_NAMES = ("smiles", "isomericsmiles", "canonicalsmiles", "smi", "mol", "molecule", "structure")
ID_NAMES = ("id", "name")


def choose_smiles_column(columns: Sequence[str], requested: str | None, source: str) -> str:
    """Chooses the column of SMILES: the requested one, else by name (any case, `Canonical SMILES` too).

    Args:
        columns: Names of the columns.
        requested: What the user asked for, or None.
        source: Name of the input, for the error message.
    Returns:
        Name of the column.
    Raises:
        DataError: If the requested column is missing, or no name or more than one would do.
    """
    if requested is not None:
        return require_column(columns, requested, source)
    if found := _first_known(columns, SMILES_NAMES):
        return found
    similar = [column for column in columns if "smiles" in _plain(column)]
    if len(similar) == 1:
        return similar[0]
    raise DataError(
        f"{source}: which column holds the SMILES? There are "
        f"{', '.join(map(repr, columns))}; name the right one with --smiles-column"
    )


def choose_id_column(columns: Sequence[str], requested: str | None, source: str) -> str | None:
    """Chooses the column of names: the requested one, else `id` or `name` where there is one.

    Args:
        columns: Names of the columns.
        requested: What the user asked for, or None.
        source: Name of the input, for the error message.
    Returns:
        Name of the column, or None where there is none.
    Raises:
        DataError: If the requested column is missing.
    """
    if requested is not None:
        return require_column(columns, requested, source)
    return _first_known(columns, ID_NAMES)


def require_column(columns: Sequence[str], requested: str, source: str) -> str:
    """Returns `requested`, or raises a DataError that names the nearest of `columns`."""
    if requested not in columns:
        raise DataError(f"{source} has no column {requested!r}: {nearest(requested, list(columns))}")
    return requested


def is_smiles_name(cell: str) -> bool:
    """Whether a cell of a first line is a usual name of a SMILES column, rather than a SMILES."""
    return _plain(cell) in SMILES_NAMES


def unique_names(names: Sequence[str]) -> list[str]:
    """Numbers repeated names, so that no column hides another.

    >>> unique_names(["smiles", "x", "x"])
    ['smiles', 'x', 'x.1']
    """
    unique: dict[str, None] = {}
    counts: dict[str, int] = {}
    for name in names:
        candidate = name
        while candidate in unique:
            counts[name] = counts.get(name, 0) + 1
            candidate = f"{name}.{counts[name]}"
        unique[candidate] = None
    return list(unique)


def _first_known(columns: Sequence[str], known: Sequence[str]) -> str | None:
    for name in known:
        for column in columns:
            if _plain(column) == name:
                return column
    return None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
