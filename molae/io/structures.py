"""Molecules with their geometry in columns of lists, as quantum-chemical data sets come in Parquet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.errors import DataError, RowError

#: `atomic_numbers` (N), `positions` (flattened N x 3, in Å), `bonds` (flattened M x 3: atom, atom, order in a
#: Kekulé structure) and `formal_charges` (N); all atoms, the hydrogens too.
STRUCTURE_COLUMNS = ("atomic_numbers", "positions", "bonds", "formal_charges")

# No atom has a formal charge beyond this; RDKit holds one in a byte.
_MOST_CHARGE = 20
_ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}


def holds_structures(columns: Sequence[str]) -> bool:
    """Whether a table with these columns holds 3D structures."""
    return set(STRUCTURE_COLUMNS) <= set(columns)


def require_structures(schema: pa.Schema, source: str) -> None:
    """Checks the types of the columns of structures.

    Args:
        schema: Schema of a table that has them all.
        source: Name of the input, for the error message.
    Raises:
        DataError: If the positions are not lists of floating-point numbers, or the others not of integers.
    """
    for name in STRUCTURE_COLUMNS:
        kind = schema.field(name).type
        expected = pa.types.is_floating if name == "positions" else pa.types.is_integer
        if not (_is_list(kind) and expected(kind.value_type)):
            raise DataError(
                f"{source}: column {name!r} is of type {kind}, expected lists of "
                f"{'floating-point numbers' if name == 'positions' else 'integers'}; "
                "to read SMILES instead, name their column with --smiles-column"
            )


def read_structures(table: pa.Table) -> list[Chem.Mol | RowError]:
    """Builds the molecules of a table.

    Args:
        table: Table with the columns of `STRUCTURE_COLUMNS`.
    Returns:
        For each row the sanitised molecule with one conformer in Å and its hydrogens as atoms; or the error,
        of kind `empty`, `ragged` (lists that do not fit together), `positions` (not finite), `bond` or
        `invalid`.
    """
    columns = [_lists(table[name]) for name in STRUCTURE_COLUMNS]
    return [_try_build(*row) for row in zip(*columns, strict=True)]


def _try_build(*row: np.ndarray | None) -> Chem.Mol | RowError:
    if any(values is None for values in row):
        return RowError("no molecule in this row", "empty")
    try:
        with BlockLogs():
            return _build(*row)  # type: ignore[arg-type]  # None was ruled out
    except RowError as error:
        return error


def _build(numbers: np.ndarray, positions: np.ndarray, bonds: np.ndarray, charges: np.ndarray) -> Chem.Mol:
    _check(numbers, positions, bonds, charges)
    mol = Chem.RWMol()
    for number, charge in zip(numbers.tolist(), charges.tolist(), strict=True):
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    try:
        for i, j, order in bonds.reshape(-1, 3).tolist():
            mol.AddBond(i, j, _ORDERS[order])
        mol = mol.GetMol()
        Chem.SanitizeMol(mol)
    except (Chem.MolSanitizeException, ValueError, RuntimeError) as error:
        raise RowError(f"not a valid molecule: {str(error).strip().splitlines()[0]}", "invalid") from error
    conformer = Chem.Conformer(len(numbers))
    conformer.SetPositions(positions.reshape(-1, 3).astype(np.float64))
    conformer.Set3D(True)
    mol.AddConformer(conformer)
    return mol


def _check(numbers: np.ndarray, positions: np.ndarray, bonds: np.ndarray, charges: np.ndarray) -> None:
    n = len(numbers)
    if n == 0:
        raise RowError("no molecule in this row", "empty")
    if len(positions) != 3 * n or len(charges) != n or len(bonds) % 3:
        raise RowError(
            f"{n} atomic numbers, {len(positions)} coordinates, {len(charges)} charges"
            f" and {len(bonds)} numbers for bonds do not fit together",
            "ragged",
        )
    if not np.isfinite(positions).all():
        raise RowError("positions that are not finite numbers", "positions")
    # See `_lists`.
    if any(values.dtype.kind == "f" for values in (numbers, bonds, charges)):
        raise RowError("a null among the atomic numbers, bonds or charges", "ragged")
    if not ((numbers >= 0) & (numbers <= 118)).all():
        raise RowError("an atomic number outside 0 to 118", "invalid")
    if not ((charges >= -_MOST_CHARGE) & (charges <= _MOST_CHARGE)).all():
        raise RowError(f"a formal charge beyond {_MOST_CHARGE} of either sign", "invalid")
    ends, orders = bonds.reshape(-1, 3)[:, :2], bonds.reshape(-1, 3)[:, 2]
    if not ((ends >= 0) & (ends < n)).all():
        raise RowError(f"a bond to an atom that is not there; there are {n}, numbered from 0", "bond")
    if unknown := set(orders.tolist()) - set(_ORDERS):
        raise RowError(f"bond order {min(unknown)}, expected 1, 2 or 3 (a Kekulé structure)", "bond")


def _lists(column: pa.ChunkedArray) -> list[np.ndarray | None]:
    """The lists of a column as arrays, None for nulls; views of one flat array, which is fast."""
    rows: list[np.ndarray | None] = []
    for chunk in column.chunks:
        flat = chunk.flatten()
        # Nulls make numpy's array one of floats, with NaN for them.
        values = flat.to_numpy(zero_copy_only=False)
        lengths = chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        pieces = np.split(values, np.cumsum(lengths)[:-1]) if len(chunk) else []
        if flat.null_count and pa.types.is_integer(flat.type):
            pieces = [piece if np.isnan(piece).any() else piece.astype(np.int64) for piece in pieces]
        valid = chunk.is_valid().to_pylist()
        rows += [piece if there else None for piece, there in zip(pieces, valid, strict=True)]
    return rows


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
