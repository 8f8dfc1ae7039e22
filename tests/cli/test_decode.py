"""`molae decode` and `molae.decode_molecules`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from typer.testing import CliRunner

import molae
from molae.cli import app
from molae.errors import ConfigError

ROWS = [
    ("CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O", "ibuprofen"),
    ("not a molecule", "nothing"),
    ("F/C=C/c1ccncc1", "vinyl"),
]
EXPECTED = [Chem.CanonSmiles(ROWS[0][0]), None, Chem.CanonSmiles(ROWS[2][0])]


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stderr


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    (tmp_path / "in.csv").write_text("smiles,id,decoded_smiles\n" + "".join(f"{s},{n},x\n" for s, n in ROWS))
    output = tmp_path / "codes.parquet"
    assert invoke("embed", tmp_path / "in.csv", "-o", output, "--model", "graph")[0] == 0
    return output


def test_vectors_become_molecules_again() -> None:
    vectors = molae.embed([smiles for smiles, _ in ROWS], "graph")
    found = molae.decode_molecules(vectors, "graph")
    assert [mol and Chem.MolToSmiles(mol) for mol in found] == EXPECTED
    assert molae.decode_molecules(vectors[:0], "graph") == []
    for wrong in (vectors[0], vectors[:, :9], np.where(vectors == vectors[0, 5], np.inf, vectors)):
        with pytest.raises(ConfigError, match="codes: "):
            molae.decode_molecules(wrong, "graph")


def test_molecules_have_the_coordinates_of_models_with_them(model_path: Path) -> None:
    vectors = molae.embed(["CCO"], model_path)
    (mol,) = molae.decode_molecules(vectors, model_path)
    again = molae.reconstruct(["CCO"], model=model_path)[0]
    assert mol is not None
    assert Chem.MolToSmiles(Chem.RemoveHs(mol)) == again.smiles
    assert mol.GetConformer().Is3D()


def test_a_table_has_a_row_for_each_code(codes: Path, tmp_path: Path) -> None:
    code, told = invoke("decode", codes, "-o", tmp_path / "out.parquet")
    assert code == 0, told
    assert "2 of 3 rows ok" in told
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["smiles", "id", "decoded_smiles", "decoded_smiles.1", "status", "error"]
    assert table["decoded_smiles.1"].to_pylist() == EXPECTED
    assert table["id"].to_pylist() == [name for _, name in ROWS]
    assert table["status"].to_pylist() == ["ok", "failed", "ok"]
    assert table["error"].to_pylist() == [None, "no code in this row", None]


def test_failed_rows_are_dropped_or_end_it(codes: Path, tmp_path: Path) -> None:
    assert invoke("decode", codes, "-o", tmp_path / "out.csv", "--on-error", "drop")[0] == 0
    assert pacsv.read_csv(tmp_path / "out.csv")["id"].to_pylist() == ["ibuprofen", "vinyl"]
    assert invoke("decode", codes, "-o", tmp_path / "out.smi")[0] == 0
    assert (tmp_path / "out.smi").read_text().split() == [each for each in EXPECTED if each]
    for name in ("failed.csv", "failed.smi"):
        code, told = invoke("decode", codes, "-o", tmp_path / name, "--on-error", "fail")
        assert (code, told.strip()) == (1, "molae: codes.parquet, row 2: no code in this row")
        assert not (tmp_path / name).exists()


def test_the_model_must_be_that_of_the_codes(codes: Path, tmp_path: Path) -> None:
    code, told = invoke("decode", codes, "-o", tmp_path / "out.csv", "--model", "graph-128")
    assert code == 2
    assert "came from another model than 'graph-128'" in told
    plain = tmp_path / "codes.csv"
    assert invoke("embed", tmp_path / "in.csv", "-o", plain, "--model", "graph")[0] == 0
    code, told = invoke("decode", plain, "-o", tmp_path / "out.csv")
    assert code == 2
    assert "codes.csv does not tell which model its codes came from: name it with --model" in told
    assert invoke("decode", plain, "-o", tmp_path / "out.csv", "--model", "graph")[0] == 0
    assert pacsv.read_csv(tmp_path / "out.csv")["decoded_smiles.1"].to_pylist()[2] == EXPECTED[2]
    code, told = invoke("decode", plain, "-o", tmp_path / "out.sdf", "--model", "graph")
    assert code == 2
    assert "cannot write this suffix" in told
