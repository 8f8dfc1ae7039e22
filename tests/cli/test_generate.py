"""`molae generate`, and priors that are stored with their models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.csv as pacsv
import pytest
import torch
from rdkit import Chem
from smallgraphs import small_graph_model
from smallmodel import KNOWN, save_small_model
from typer.testing import CliRunner

import molae
from molae.checkpoint import load_checkpoint, save_checkpoint
from molae.cli import app
from molae.errors import CheckpointError, ConfigError, MolaeError


@pytest.fixture
def model(isomer_model_path: Path, tmp_path: Path) -> Path:
    return shutil.copytree(isomer_model_path, tmp_path / "model")


@pytest.fixture
def like(tmp_path: Path) -> Path:
    path = tmp_path / "known.smi"
    path.write_text("\n".join([*KNOWN, "not a molecule"]) + "\n")
    return path


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["generate", *(str(argument) for argument in arguments)])
    return result.exit_code, result.stderr


def rows_of(table: Path) -> list[dict[str, str | None]]:
    return pacsv.read_csv(table, convert_options=pacsv.ConvertOptions(strings_can_be_null=True)).to_pylist()


def smiles_of(table: Path) -> list[str]:
    """Those of the valid molecules."""
    return [row["smiles"] for row in rows_of(table) if row["smiles"] is not None]


def test_a_row_for_each_draw(model: Path, like: Path, tmp_path: Path) -> None:
    output = tmp_path / "new.csv"
    code, told = invoke("-n", 40, "-o", output, "--model", model, "--like", like, "--seed", 1)
    assert code == 0, told
    rows = rows_of(output)
    assert list(rows[0]) == ["smiles", "status", "error"]
    assert len(rows) == 40
    assert f"{len(smiles_of(output))} of 40 rows ok" in told
    for row in rows:
        if row["status"] == "ok":
            assert Chem.MolFromSmiles(row["smiles"]) is not None
        else:
            assert row["smiles"] is None
            assert row["error"] is not None
    codes = molae.embed(list(KNOWN), model)
    mols = molae.generate_molecules(40, codes, model, seed=1)
    assert [mol and Chem.MolToSmiles(mol) for mol in mols] == [row["smiles"] for row in rows]


def test_lines_are_of_valid_molecules_alone(model: Path, like: Path, tmp_path: Path) -> None:
    table, lines, dropped = (tmp_path / name for name in ("new.csv", "new.smi", "dropped.csv"))
    for output, more in ((table, []), (lines, []), (dropped, ["--on-error", "drop"])):
        assert (
            invoke("-n", 40, "-o", output, "--model", model, "--like", like, "--prior", "normal", *more)[0]
            == 0
        )
    valid = smiles_of(table)
    assert lines.read_text().split() == valid
    assert smiles_of(dropped) == valid
    failed = tmp_path / "failed.csv"
    code, told = invoke(
        "-n", 40, "-o", failed, "--model", model, "--like", like, "--prior", "normal", "--on-error", "fail"
    )
    assert code == 1
    assert "decoded to" in told
    assert not failed.exists()


def test_a_stored_prior_needs_no_molecules(model: Path, like: Path, tmp_path: Path) -> None:
    code, told = invoke("-n", 5, "-o", tmp_path / "new.csv", "--model", model)
    assert code == 2
    assert "has no prior: bring molecules or graphs" in told
    codes = molae.embed(list(KNOWN), model)
    molae.fit_prior(codes, model, prior="mixture", device="cpu")
    for name, more in (("stored.csv", []), ("fitted.csv", ["--like", like])):
        assert invoke("-n", 20, "-o", tmp_path / name, "--model", model, *more)[0] == 0
    assert (tmp_path / "stored.csv").read_text() == (tmp_path / "fitted.csv").read_text()
    with pytest.raises(ConfigError, match="graph ships with molae and stays as it is"):
        molae.fit_prior(codes, "graph")
    code, told = invoke("-n", 5, "-o", tmp_path / "new.csv", "--model", model, "--prior", "mixture")
    assert code == 2
    assert "nothing to fit it to" in told
    with pytest.raises(ConfigError, match="a loaded model does not tell"):
        molae.generate_molecules(3, model=molae.load(model))


def test_a_prior_of_other_weights_is_refused(model: Path, tmp_path: Path) -> None:
    molae.fit_prior(molae.embed(list(KNOWN), model), model, prior="normal", device="cpu")
    other = load_checkpoint(model)
    with torch.no_grad():
        next(other.parameters()).add_(1)
    save_checkpoint(other, tmp_path / "other")
    shutil.copytree(model / "prior", tmp_path / "other" / "prior")
    with pytest.raises(CheckpointError, match="codes of other weights: fit it again"):
        molae.generate_molecules(3, model=tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"normal"', '"abnormal"'), "no prior is called 'abnormal'"),
        (lambda text: text.replace('"format_version": 2', '"format_version": 9'), "made by a newer molae"),
        (lambda text: text.replace('"format_version": 2', '"format_version": 1'), "made by an older molae"),
        (lambda text: text.replace('"of"', '"off"'), "corrupt: it has no of"),
        (lambda text: text.replace("weights-01", "../weights-01"), "is no file of weights"),
        (lambda text: text[:50], "corrupt"),
    ],
)
def test_a_damaged_prior_is_refused(model: Path, change: Callable[[str], str], message: str) -> None:
    molae.fit_prior(molae.embed(list(KNOWN), model), model, prior="normal", device="cpu")
    description = model / "prior" / "config.json"
    description.write_text(change(description.read_text()))
    with pytest.raises(MolaeError, match=message):
        molae.generate_molecules(3, model=model)


def test_molecules_with_positions_have_no_autoregressive_prior(like: Path, tmp_path: Path) -> None:
    output, model = tmp_path / "new.csv", save_small_model(tmp_path / "model")
    code, told = invoke("-n", 5, "-o", output, "--model", model, "--like", like, "--prior", "autoregressive")
    assert code == 2
    assert "carry positions" in told
    assert not output.exists()


def test_wrong_inputs(model: Path, tmp_path: Path) -> None:
    assert "there is no folder" in invoke("-o", tmp_path / "no" / "new.csv", "--model", model)[1]
    assert "cannot write this suffix" in invoke("-o", tmp_path / "new.sdf", "--model", model)[1]
    save_checkpoint(small_graph_model(), tmp_path / "graphs")
    assert "`molae.generate_graphs`" in invoke("-o", tmp_path / "new.csv", "--model", tmp_path / "graphs")[1]
    (tmp_path / "bad.smi").write_text("no\nnot\n")
    code, told = invoke("-o", tmp_path / "new.csv", "--model", model, "--like", tmp_path / "bad.smi")
    assert code == 2
    assert "no molecule that the model takes" in told


def test_the_shipped_prior_draws_valid_molecules(tmp_path: Path) -> None:
    code, told = invoke("-n", 100, "-o", tmp_path / "new.csv", "--device", "cpu")
    assert code == 0, told
    valid = smiles_of(tmp_path / "new.csv")
    assert len(valid) >= 75
    assert len(set(valid)) > 0.95 * len(valid)
    assert all(Chem.MolFromSmiles(smiles) is not None for smiles in valid)
