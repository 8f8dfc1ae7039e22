"""A model without coordinates from the command line, from SMILES to its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from smallmodel import KNOWN
from typer.testing import CliRunner

from molae.checkpoint import load_checkpoint
from molae.cli import app

CONFIG = """
[model]
code_size = 16
encoder = {name = "slots", width = 16, head_width = 64, head_depth = 1}
decoder = {name = "slots", width = 16, pair_width = 16, head_width = 64, head_depth = 1}

[augment]
mutate = 0.1
crop = 0.1

[training]
steps = 300
batch_size = 8
learning_rate = 0.01
warmup_steps = 10
ema_decay = 0.9
validate_every = 300
validation_size = 8
log_every = 100
accelerator = "cpu"
"""


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_graph_model_from_smiles_to_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(CONFIG)
    Path("in.smi").write_text("\n".join([*KNOWN, "bad"]) + "\n")
    packed = invoke("pack", "in.smi", "--graphs", "-o", "x.safetensors", "--max-atoms", 12)
    assert "8 of 9 rows ok" in packed.stderr
    data = ("--data", "x.safetensors", "--validation", "x.safetensors")
    trained = invoke("train", "--config", "config.toml", *data, "-o", "run")
    assert trained.exit_code == 0, trained.stderr
    schema = load_checkpoint(Path("run/last")).schema
    assert (schema.coordinates, schema.max_nodes) == (False, 12)

    model = ("--model", "run/last")
    assert invoke("embed", "in.smi", "-o", "e.parquet", *model).exit_code == 0
    embedded = pq.read_table("e.parquet")
    assert embedded["status"].to_pylist() == ["ok"] * 8 + ["failed"]
    assert len(embedded["embedding"][0]) == 16
    assert invoke("reconstruct", "in.smi", "-o", "r.parquet", *model).exit_code == 0
    table = pq.read_table("r.parquet")
    assert table["exact"].to_pylist() == [True] * 8 + [None]
    assert table["rmsd"].to_pylist() == [None] * 9
    evaluated = invoke("evaluate", "reconstruction", "in.smi", "-o", "f.json", *model)
    assert evaluated.exit_code == 0, evaluated.stderr
    assert json.loads(Path("f.json").read_text())["figures"]["rmsd_action_median"] is None


def test_the_config_says_what_training_on_smiles_packs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    short = CONFIG.replace("steps = 300", "steps = 3").replace("size = 8", "size = 2")
    Path("flat.toml").write_text(f"{short}\n[data]\ncoordinates = false\n")
    Path("solid.toml").write_text(f"{short}\n[data]\ncoordinates = true\n")
    Path("in.smi").write_text("\n".join(KNOWN) + "\n")
    for name, coordinates in (("flat", False), ("solid", True)):
        trained = invoke("train", "--config", f"{name}.toml", "--data", "in.smi", "-o", name)
        assert trained.exit_code == 0, trained.stderr
        assert load_checkpoint(Path(name) / "last").schema.coordinates == coordinates
    for name, other, remedy in (
        ("flat", "solid", "molae pack --graphs"),
        ("solid", "flat", "without --graphs"),
    ):
        packed = next(Path(other).glob("data-*.safetensors"))
        refused = invoke("train", "--config", f"{name}.toml", "--data", packed, "-o", f"{name}-again")
        assert refused.exit_code == 2
        assert remedy in refused.stderr


def test_structures_go_in_by_their_stereo(isomer_model_path: Path, tmp_path: Path) -> None:
    with Chem.SDWriter(str(tmp_path / "in.sdf")) as writer:
        for smiles in KNOWN[3:5]:
            mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
            rdDistGeom.EmbedMolecule(mol, randomSeed=2)
            writer.write(mol)
    output = tmp_path / "r.parquet"
    done = invoke("reconstruct", tmp_path / "in.sdf", "-o", output, "--model", isomer_model_path)
    assert done.exit_code == 0, done.stderr
    table = pq.read_table(output)
    assert table["reconstructed_smiles"].to_pylist() == [Chem.CanonSmiles(s) for s in KNOWN[3:5]]
    assert table["exact"].to_pylist() == [True, True]
