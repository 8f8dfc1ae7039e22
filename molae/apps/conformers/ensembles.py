"""Ensembles of conformers from files: references to compare with, and samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
from rdkit import Chem

from molae.chem.isomers import isomeric_smiles
from molae.chem.stereo import has_positions
from molae.errors import DataError, RowError
from molae.io import Row, open_rows

MINIMUM, CONFORMER = "minimum_index", "conformer_id"
_MINIMA_COLUMNS = ("molecule", CONFORMER, MINIMUM)


@dataclass(frozen=True)
class Ensemble:
    """Conformers of one molecule.

    Attributes:
        name: Name of the molecule, or its isomeric SMILES where it has none.
        smiles: Isomeric SMILES, from the positions of the first conformer.
        conformers: Molecules with one conformer each, positions in Å.
        energies: Energy of each as the file has it; NaN where it has none, or none was asked for.
    """

    name: str
    smiles: str
    conformers: list[Chem.Mol]
    energies: list[float] = field(default_factory=list)


@dataclass
class Ensembles:
    """The molecules of a file, and the records that were not taken.

    Attributes:
        molecules: One ensemble for each molecule, in the order of the file.
        left_out: Records that could not be used, by kind; `same_minimum` counts those of a minimum that an
            earlier record of the molecule has.
    """

    molecules: list[Ensemble]
    left_out: Counter[str] = field(default_factory=Counter)


def read_references(
    path: str | Path, minima: str | Path | None = None, energy: str | None = None
) -> Ensembles:
    """Reads reference ensembles from an SD file, every minimum once.

    Records of the same name are one molecule, records without a name those of the same isomeric SMILES.
    Where records have a property `minimum_index`, or a table gives one, the first record of each counts.

    Args:
        path: The SD file; positions in Å.
        minima: Table (CSV) with the columns `molecule` (the record's name), `conformer_id` (the record's
            property of that name) and `minimum_index`.
        energy: Property that holds the energy of a record; None for no energies.
    Returns:
        The ensembles. A record that is another isomer than the first of its name is left out.
    Raises:
        DataError: If a file cannot be read, or lacks a column, or has no usable record; or if a record is
            not in the table, or has an energy that is no number.
    """
    table = None if minima is None else _read_minima(minima)
    groups: dict[str, Ensemble] = {}
    seen: set[tuple[str, str]] = set()
    left_out: Counter[str] = Counter()
    for row, values in _records(path, energy):
        try:
            mol, smiles = _structure(row)
        except RowError as error:
            left_out[error.kind] += 1
            continue
        name = row.id or smiles
        minimum = values.get(MINIMUM) if table is None else _look_up(table, name, values, row, path)
        if minimum is not None and (name, minimum) in seen:
            left_out["same_minimum"] += 1
            continue
        group = groups.setdefault(name, Ensemble(name, smiles, []))
        if group.smiles != smiles:
            left_out["other_isomer"] += 1
            continue
        if minimum is not None:
            seen.add((name, minimum))
        group.conformers.append(mol)
        group.energies.append(_number(values.get(energy) if energy else None, energy, row, path))
    if not groups:
        raise DataError(f"{path} holds no 3D structure to compare with: {dict(left_out)}")
    return Ensembles(list(groups.values()), left_out)


def read_samples(path: str | Path, names: Sequence[str]) -> Ensembles:
    """Reads samples from an SD file, as `molae conformers` writes it.

    Args:
        path: The SD file; positions in Å.
        names: Names of the molecules that are wanted.
    Returns:
        An ensemble for each molecule of those names that has records, whatever isomer they are; records of
        other names are counted as `other_name`.
    Raises:
        DataError: If the file cannot be read, or has none of the names.
    """
    groups: dict[str, Ensemble] = {}
    left_out: Counter[str] = Counter()
    wanted = set(names)
    for row, _ in _records(path):
        try:
            mol, smiles = _structure(row)
        except RowError as error:
            left_out[error.kind] += 1
            continue
        name = row.id if row.id in wanted else smiles
        if name in wanted:
            groups.setdefault(name, Ensemble(name, smiles, [])).conformers.append(mol)
        else:
            left_out["other_name"] += 1
    if not groups:
        raise DataError(
            f"{path} has no record that is named as a reference is, such as {names[0]!r}: give the input of"
            " `molae conformers` the names of the references as ids"
        )
    return Ensembles(list(groups.values()), left_out)


def _records(path: str | Path, energy: str | None = None) -> Iterator[tuple[Row, dict[str, str | None]]]:
    with open_rows(path) as reader:
        if reader.smiles_column is not None or reader.holds_graphs:
            raise DataError(f"{path}: expected an SD file of conformers")
        for chunk in reader:
            kept = [name for name in (MINIMUM, CONFORMER, energy) if name in chunk.columns.column_names]
            yield from zip(chunk.rows, chunk.columns.select(kept).to_pylist(), strict=True)


def _structure(row: Row) -> tuple[Chem.Mol, str]:
    if row.error is not None:
        raise row.error
    if row.mol is None or not has_positions(row.mol):
        raise RowError("no 3D conformer", "no_positions")
    return row.mol, isomeric_smiles(row.mol)


def _read_minima(path: str | Path) -> dict[tuple[str, str], str]:
    try:
        as_text = pa.csv.ConvertOptions(column_types=dict.fromkeys(_MINIMA_COLUMNS, pa.string()))
        table = pa.csv.read_csv(path, convert_options=as_text)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    for name in _MINIMA_COLUMNS:
        if name not in table.column_names:
            raise DataError(f"{path} has no column {name!r}, expected {', '.join(_MINIMA_COLUMNS)}")
    molecules, conformers, minima = (table[name].to_pylist() for name in _MINIMA_COLUMNS)
    return dict(zip(zip(molecules, conformers, strict=True), minima, strict=True))


def _number(text: str | None, name: str | None, row: Row, path: str | Path) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError as error:
        raise DataError(f"{path}, record {row.number}: {name} is no number: {text!r}") from error


def _look_up(
    table: dict[tuple[str, str], str], name: str, values: dict[str, str | None], row: Row, path: str | Path
) -> str:
    conformer = values.get(CONFORMER)
    minimum = table.get((name, conformer or ""))
    if minimum is None:
        raise DataError(
            f"{path}, record {row.number}: molecule {name!r}, {CONFORMER} {conformer!r} is not in the table"
            " of minima"
        )
    return minimum
