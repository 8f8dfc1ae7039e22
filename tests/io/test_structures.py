from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from molae.errors import DataError
from molae.io import Row, open_rows

SMILES = ["O", "C[C@H](F)Cl", "C[N+](=O)[O-]", "c1ccncc1"]


def structure(smiles: str) -> dict[str, list[Any]]:
    """The columns of one molecule with a conformer."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    positions = mol.GetConformer().GetPositions()
    Chem.Kekulize(mol, clearAromaticFlags=True)
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble())) for b in mol.GetBonds()]
    return {
        "atomic_numbers": [atom.GetAtomicNum() for atom in mol.GetAtoms()],
        "positions": positions.ravel().tolist(),
        "bonds": np.ravel(bonds).tolist(),
        "formal_charges": [atom.GetFormalCharge() for atom in mol.GetAtoms()],
    }


def write(path: Path, rows: list[dict[str, Any]], **columns: list[Any]) -> Path:
    kinds = {"atomic_numbers": pa.uint8(), "positions": pa.float64(), "bonds": pa.uint8()}
    table = {
        name: pa.array([row[name] for row in rows], pa.list_(kinds.get(name, pa.int8()))) for name in rows[0]
    }
    pq.write_table(pa.table({**table, **columns}), path)
    return path


def read(path: Path, **options: Any) -> list[Row]:
    with open_rows(path, **options) as reader:
        return [row for chunk in reader for row in chunk.rows]


def test_molecules_come_with_their_geometry_and_hydrogens(tmp_path: Path) -> None:
    rows = [structure(smiles) for smiles in SMILES]
    # Their SMILES are looked at only where they are asked for.
    path = write(tmp_path / "x.parquet", rows, smiles=["*"] * 4, id=list("abcd"))
    for row, source, smiles, name in zip(read(path, chunk_size=3), rows, SMILES, "abcd", strict=True):
        assert (row.smiles, row.error, row.id) == (None, None, name)
        conformer = row.mol.GetConformer()
        assert conformer.Is3D()
        np.testing.assert_array_equal(conformer.GetPositions().ravel(), source["positions"])
        Chem.AssignStereochemistryFrom3D(row.mol)
        expected = Chem.MolFromSmiles(smiles)
        assert Chem.MolToSmiles(Chem.RemoveHs(row.mol)) == Chem.MolToSmiles(expected)
    assert [row.smiles for row in read(path, smiles_column="smiles")] == ["*"] * 4


def test_the_columns_of_the_input_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [structure("O")], gdb_index=[3])
    with open_rows(path) as reader:
        assert reader.smiles_column is None
        (chunk,) = reader
    assert chunk.columns.column_names == [
        "atomic_numbers",
        "positions",
        "bonds",
        "formal_charges",
        "gdb_index",
    ]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"atomic_numbers": None}, "empty"),
        ({"atomic_numbers": [], "positions": [], "bonds": [], "formal_charges": []}, "empty"),
        ({"positions": [0.0, 1.0]}, "ragged"),
        ({"bonds": [0, 1]}, "ragged"),
        ({"formal_charges": [0, None, 0]}, "ragged"),
        ({"positions": [float("nan")] * 9}, "positions"),
        ({"positions": [None] * 9}, "positions"),
        ({"atomic_numbers": [8, 200, 1]}, "invalid"),
        ({"formal_charges": [0, 99, 0]}, "invalid"),
        ({"bonds": [0, 1, 1, 0, 3, 1]}, "bond"),
        ({"bonds": [0, 1, 7, 0, 2, 1]}, "bond"),
        ({"bonds": [0, 0, 1, 0, 2, 1]}, "invalid"),
        ({"bonds": [0, 1, 3, 0, 2, 3]}, "invalid"),
    ],
)
def test_a_bad_row_spoils_only_itself(tmp_path: Path, change: dict[str, Any], kind: str) -> None:
    water = structure("O")
    rows = read(write(tmp_path / "x.parquet", [water, water | change, water]))
    assert [row.error and row.error.kind for row in rows] == [None, kind, None]


def test_columns_of_another_type_are_refused(tmp_path: Path) -> None:
    names = ("atomic_numbers", "positions", "bonds", "formal_charges")
    pq.write_table(pa.table({name: ["text"] for name in names}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"'atomic_numbers' is of type string.*--smiles-column"):
        open_rows(tmp_path / "x.parquet")
