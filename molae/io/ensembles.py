"""Ensembles of conformers in Parquet: one row for a molecule, positions in fixed point.

The SMILES of a row has every hydrogen as an atom, and the positions are in the order of its atoms. So SMILES
and positions together are the whole molecule: `read_ensembles` gives it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int16
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.errors import DataError, RowError

UNIT = 0.001
"""What a step of the stored positions is, in Å; they are off by half of it at most."""
FORMAT = 1
"""Version of the format."""

_KEY = "molae_ensembles"
_STORED = np.dtype("<i2")
_MOST = np.iinfo(np.int16).max
_TYPES = {
    "smiles": pa.string(),
    "conformers": pa.int32(),
    # As bytes: in a list, Parquet would take four for a number of two.
    "positions": pa.binary(),
    "energies": pa.list_(pa.float32()),
    "level": pa.string(),
}
_ORIGIN = {"row": pa.int64(), "id": pa.string(), "seed": pa.int64()}


@dataclass(frozen=True)
class StoredEnsemble:
    """Conformers of one molecule as a file holds them.

    Attributes:
        smiles: Canonical isomeric SMILES with every hydrogen as an atom.
        positions: Positions in steps of 0.001 Å, each conformer's centroid near the origin; atoms in the
            order of the SMILES.
        energies: Energies above the lowest in kcal/mol, ascending; None where they are not known.
        level: Level of theory of positions and energies.
        row: Number of the row or molecule of the input, from 1; 0 before it is stored.
        id: Its name, or None.
        seed: Seed that the conformers were made with, or None.
    """

    smiles: str
    positions: Int16[np.ndarray, "s n 3"]
    energies: Float[np.ndarray, " s"] | None
    level: str
    row: int = 0
    id: str | None = None
    seed: int | None = None

    @property
    def mol(self) -> Chem.Mol:
        """The molecule with all its conformers, positions in Å; each has the property
        `molae_relative_energy_kcal_mol` where it is known."""
        mol = read_explicit_smiles(self.smiles)
        energies = [None] * len(self.positions) if self.energies is None else self.energies.tolist()
        for coordinates, energy in zip(self.positions, energies, strict=True):
            conformer = Chem.Conformer(mol.GetNumAtoms())
            conformer.Set3D(True)
            conformer.SetPositions(coordinates * UNIT)
            if energy is not None:
                conformer.SetDoubleProp("molae_relative_energy_kcal_mol", energy)
            mol.AddConformer(conformer, assignId=True)
        return mol


def write_explicit_smiles(mol: Chem.Mol) -> tuple[str, list[int]]:
    """Writes a molecule as canonical isomeric SMILES with every hydrogen as an atom.

    Args:
        mol: Sanitised molecule with all hydrogens as atoms, its stereo assigned.
    Returns:
        The SMILES, and the atoms of `mol` in the order in which they are in it.
    """
    smiles = Chem.MolToSmiles(mol)
    # As text: RDKit's vector of integers takes ten times as long to read.
    order = mol.GetProp("_smilesAtomOutputOrder").strip("[,]").split(",")
    return smiles, [int(atom) for atom in order]


def read_explicit_smiles(smiles: str) -> Chem.Mol:
    """Reads what `write_explicit_smiles` wrote, atoms in the order of the SMILES.

    Raises:
        RowError: `unparsable`, if RDKit does not read it; `hydrogens`, if some are no atoms.
    """
    reader = Chem.SmilesParserParams()
    reader.removeHs = False  # type: ignore[assignment]  # RDKit's stub is wrong
    with BlockLogs():
        mol = Chem.MolFromSmiles(smiles, reader)
    if mol is None:
        raise RowError(f"not a valid SMILES: {smiles[:60]!a}", "unparsable")
    if any(atom.GetTotalNumHs() for atom in mol.GetAtoms()):
        raise RowError(f"a SMILES whose hydrogens are not all atoms: {smiles[:60]!a}", "hydrogens")
    return mol


def to_fixed_point(positions: Float[np.ndarray, "s n 3"]) -> Int16[np.ndarray, "s n 3"]:
    """Centres conformers, and rounds their positions to steps of 0.001 Å.

    Args:
        positions: Positions in Å.
    Returns:
        The steps.
    Raises:
        RowError: `too_large`, if an atom is more than 32.767 Å from the centroid along an axis.
    """
    steps = np.rint((positions - positions.mean(axis=1, keepdims=True)) / UNIT)
    if np.abs(steps).max(initial=0) > _MOST:
        raise RowError(f"an atom more than {_MOST * UNIT} Å from the centroid along an axis", "too_large")
    return steps.astype(np.int16)


def ensemble_columns(
    ensembles: Sequence[StoredEnsemble | None], rows: Sequence[int], ids: Sequence[str | None]
) -> dict[str, pa.Array]:
    """Makes the columns of a table of ensembles.

    Args:
        ensembles: An ensemble for each row, None where there is none.
        rows: Number of each row in the input.
        ids: Its name.
    Returns:
        The columns by name; what a row without ensemble lacks is null.
    """
    values = {
        "smiles": [each and each.smiles for each in ensembles],
        "conformers": [None if each is None else len(each.positions) for each in ensembles],
        "positions": [
            None if each is None else each.positions.astype(_STORED).tobytes() for each in ensembles
        ],
        "energies": [None if each is None else each.energies for each in ensembles],
        "level": [each and each.level for each in ensembles],
        "row": rows,
        "id": ids,
        "seed": [each and each.seed for each in ensembles],
    }
    return {name: pa.array(values[name], kind) for name, kind in (_ORIGIN | _TYPES).items()}


def ensemble_metadata(settings: dict[str, object]) -> dict[str, str]:
    """What a file of ensembles tells of itself: the format, how to read it, and how it was made."""
    told = {
        "format": FORMAT,
        "smiles": "canonical isomeric SMILES, every hydrogen an atom; read it without removing hydrogens"
        " (RDKit: SmilesParserParams.removeHs = False) to get the atoms in the order of the positions",
        "positions": "bytes of little-endian int16, conformer x atom x 3, centred; times `unit_angstrom`",
        "unit_angstrom": UNIT,
        "conformers": "number of conformers of the molecule",
        "energies": "one for each conformer, kcal/mol above the lowest; null where not known",
        "made_by": settings,
    }
    return {_KEY: json.dumps(told)}


def read_ensembles(path: str | Path) -> Iterator[StoredEnsemble]:
    """Reads a file of ensembles, as `molae prepare` writes it, a few molecules at a time.

    Args:
        path: The Parquet file.
    Yields:
        The ensembles; their `mol` is the RDKit molecule with its conformers. Failed rows are passed over.
    Raises:
        DataError: If it is no readable file of ensembles, or of a newer format.
    """
    try:
        with pq.ParquetFile(path) as file:
            _require_ensembles(file.schema_arrow, path)
            for batch in file.iter_batches(batch_size=64, columns=[*_ORIGIN, *_TYPES]):
                yield from _rows(batch, path)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error


def holds_ensembles(path: str | Path) -> bool:
    """Whether a file is one that `molae prepare` wrote; False for any that cannot be read."""
    try:
        return Path(path).suffix == ".parquet" and _KEY.encode() in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        return False


def _require_ensembles(schema: pa.Schema, path: str | Path) -> None:
    told = (schema.metadata or {}).get(_KEY.encode())
    if told is None:
        raise DataError(f"{path} holds no ensembles: make such a file with `molae prepare`")
    try:
        version = json.loads(told)["format"]
        newer = version > FORMAT
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: it does not tell how it is to be read") from error
    if newer:
        raise DataError(
            f"{path} is of format {version}, this version of molae reads up to {FORMAT}: update it"
        )


def _rows(batch: pa.RecordBatch, path: str | Path) -> list[StoredEnsemble]:
    try:
        return [_stored(**values) for values in batch.to_pylist() if values["positions"] is not None]
    except (KeyError, TypeError, ValueError) as error:  # columns that are missing, or hold something else
        raise DataError(f"{path} is damaged: it holds rows that are no ensembles: {error}") from error


def _stored(
    smiles: str,
    conformers: int,
    positions: bytes,
    energies: list[float] | None,
    level: str,
    row: int,
    id: str | None,
    seed: int | None,
) -> StoredEnsemble:
    steps = np.frombuffer(positions, _STORED).reshape(conformers, -1, 3)
    known = None if energies is None else np.array(energies, dtype=np.float32)
    return StoredEnsemble(smiles, steps, known, level, row, id, seed)
