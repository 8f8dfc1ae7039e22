from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from smallmodel import KNOWN
from typer.testing import CliRunner

from molae import catalogue
from molae.batch.packed import PackedDataset
from molae.checkpoint import load_checkpoint
from molae.cli import app

CONFIG = """
[model]
code_size = 8
encoder = {name = "slots", width = 8, vectors = 2, head_width = 16, head_depth = 1}
decoder = {name = "slots", width = 8, pair_width = 8, head_width = 16, head_depth = 1}

[training]
steps = 6
batch_size = 4
validate_every = 3
validation_size = 2
log_every = 2
accelerator = "cpu"
"""


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def molecules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(CONFIG)
    Path("in.smi").write_text("\n".join([*KNOWN, "bad"]) + "\n")
    return Path("in.smi")


def test_help_lists_the_verbs() -> None:
    code = "from molae.cli import app; app(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for verb in (
        "embed",
        "reconstruct",
        "conformers",
        "fit",
        "predict",
        "train",
        "evaluate",
        "models",
        "pack",
        "explore",
        "neighbours",
    ):
        assert verb in done.stdout


def test_evaluation_prints_and_writes(molecules: Path, model_path: Path) -> None:
    code, out, err = invoke("evaluate", "reconstruction", molecules, "-o", "r.json", "--model", model_path)
    assert code == 0, err
    assert "exact_rate" in out
    assert "88.889 %" in out
    assert "unread: unparsable" in out
    report = json.loads(Path("r.json").read_text())
    assert report["figures"]["count"] == 9
    assert report["model"] == str(model_path)


def test_evaluation_of_a_split_needs_its_column(molecules: Path, model_path: Path) -> None:
    arguments = ("evaluate", "reconstruction", molecules, "--model", model_path, "--split", "qm9-test")
    code, _, err = invoke(*arguments)
    assert code == 2
    assert "no column 'gdb_index'" in err
    assert not Path("reconstruction.json").exists()


def test_evaluation_without_any_success_fails(molecules: Path, model_path: Path) -> None:
    molecules.write_text("bad\n")
    assert invoke("evaluate", "reconstruction", molecules, "--model", model_path)[0] == 1
    assert json.loads(Path("reconstruction.json").read_text())["figures"]["exact_rate"] == 0


def test_molecules_are_packed(molecules: Path) -> None:
    code, _, err = invoke("pack", molecules, "-o", "x.safetensors", "--max-atoms", 4)
    assert code == 0
    assert "7 of 9 rows ok; 2 failed" in err
    assert PackedDataset.load("x.safetensors").schema.max_nodes == 4
    molecules.write_text("bad\n")
    assert invoke("pack", molecules, "-o", "y.safetensors")[0] == 1


def test_training_packs_trains_and_resumes(molecules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("train", "--config", "config.toml", "--data", molecules, "--output", "run")
    code, _, err = invoke(*arguments)
    assert code == 0, err
    assert "8 of 9 rows ok" in err
    assert load_checkpoint(Path("run/best")).config.code_size == 8
    assert load_checkpoint(Path("run/last")).schema.max_nodes == 50
    code, _, err = invoke(*arguments)
    assert code == 1
    assert "already holds a run" in err
    Path("config.toml").write_text(CONFIG.replace("steps = 6", "steps = 9"))
    code, _, err = invoke(*arguments, "--resume")
    assert code == 0, err
    assert "rows ok" not in err  # what was packed is used again
    packed = next(Path("run").glob("data-*.safetensors"))
    more = ("train", "--config", "config.toml", "--data", packed, "--validation", packed, "--output", "two")
    assert invoke(*more)[0] == 0


def test_interrupted_training_says_so(molecules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molae.training.train", lambda *arguments: arguments[2])
    code, _, err = invoke("train", "--config", "config.toml", "--data", molecules, "--output", "run")
    assert code == 130
    assert "--resume goes on" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps = 6", "step = 6"), "did you mean 'steps'?"),
        (("[model]", "[model"), "not a TOML file"),
    ],
)
def test_a_wrong_config_is_wrong_usage(molecules: Path, change: tuple[str, str], message: str) -> None:
    Path("config.toml").write_text(CONFIG.replace(*change))
    code, _, err = invoke("train", "--config", "config.toml", "--data", molecules, "--output", "run")
    assert code == 2
    assert message in err


def test_data_that_are_missing_or_no_good(molecules: Path) -> None:
    arguments = ("train", "--config", "config.toml", "--output", "run", "--data")
    assert invoke(*arguments, "no.smi")[0] == 2
    molecules.write_text("bad\n")
    code, _, err = invoke(*arguments, molecules)
    assert code == 1
    assert "no row of in.smi can be trained on" in err


def test_models_are_listed(model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_shipped", lambda: tmp_path)
    code, out, err = invoke("models")
    assert (code, out) == (0, "")
    assert "no models are shipped" in err
    shutil.copytree(model_path, tmp_path / "tiny")
    code, out, _ = invoke("models")
    assert code == 0
    for text in ("tiny", "16", "24", "eight molecules", "exact: 1"):
        assert text in out
