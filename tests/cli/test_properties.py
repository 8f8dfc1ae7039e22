from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.csv as pacsv
import pytest
from propertytable import RINGS, SMILES, VALUES, write_table
from typer.testing import CliRunner

from molae.cli import app

PLAIN = ("--features", "descriptors", "--estimator", "ridge")


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("molae.apps.properties.baselines._TREES", 5)
    write_table(Path("train.csv"), {"smiles": SMILES, "logS": VALUES, "ring": RINGS})
    Path("new.smi").write_text("CCCO a\nbad b\nCCc1ccccc1 c\n")


def test_fit_then_predict() -> None:
    result = invoke("fit", "train.csv", "--target", "logS", "--target", "ring", "-o", "model", *PLAIN)
    assert result.exit_code == 0, result.output
    for shown in ("logS: regression, scaffold split", "ring: classification", "molae", "descriptors", "rmse"):
        assert shown in result.stdout
    assert "60 of 60 rows ok" in result.stderr
    assert "logS: regression, labels are numbers (--task classification overrides)" in result.stderr
    assert "warning: logS: only" in result.stderr
    assert {path.name for path in Path("model").iterdir()} == {
        "arrays.safetensors",
        "property_model.json",
        "report.html",
        "report.json",
    }
    result = invoke("predict", "model", "new.smi", "-o", "out.csv")
    assert result.exit_code == 0, result.output
    assert "2 of 3 rows ok; 1 failed (unparsable 1)" in result.stderr
    out = pacsv.read_csv("out.csv").to_pydict()
    assert out["id"] == ["a", "b", "c"]
    assert out["ring_predicted"] == [0, None, 1]
    assert out["logS_lower"][0] < out["logS_predicted"][0] < out["logS_upper"][0]
    # Fitting again replaces the model.
    assert invoke("fit", "train.csv", "--target", "logS", "-o", "model", "-q", *PLAIN).stderr == ""


def test_exit_codes() -> None:
    assert invoke("fit", "train.csv", "--target", "logS", "-o", "model", "-q", *PLAIN).exit_code == 0
    Path("bad.smi").write_text("bad\n")
    assert invoke("predict", "model", "bad.smi", "-o", "out.csv").exit_code == 1
    failed = invoke("predict", "model", "new.smi", "-o", "no.csv", "--on-error", "fail")
    assert failed.exit_code == 1
    assert "new.smi, row 2" in failed.stderr
    assert not Path("no.csv").exists()
    for wrong, message in (
        (("fit", "train.csv", "--target", "logP", "-o", "m", *PLAIN), "no column 'logP'"),
        (("fit", "train.csv", "--target", "logS", "-o", ".", *PLAIN), "no fitted model"),
        (("fit", "train.csv", "--target", "logS", "-o", "m", "--features", "codes"), "no features"),
        (("fit", "train.csv", "--target", "logS", "-o", "m", "--model", "nosuch"), "no model 'nosuch'"),
        (
            ("fit", "train.csv", "--target", "logS", "-o", "m", "--split-column", "a", "--time-column", "b"),
            "exclude each other",
        ),
        (("predict", ".", "new.smi", "-o", "out.csv"), "not a fitted model"),
        (("predict", "model", "new.smi", "-o", "out.txt"), "cannot write this suffix"),
        (("evaluate", "properties", "train.csv", "--target", "logS", "-o", "no/x.json"), "no folder"),
    ):
        result = invoke(*wrong)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
    assert not Path("m").exists()


def test_evaluation_prints_and_writes(model_path: Path) -> None:
    write_table(Path("few.csv"), {"smiles": SMILES[:24], "logS": VALUES[:24]})
    options = ("--model", model_path, "--split", "random", "--seeds", "2")
    result = invoke("evaluate", "properties", "few.csv", "--target", "logS", "-o", "p.json", *options)
    assert result.exit_code == 0, result.output
    assert "ECFP4" in result.stdout
    assert "±" in result.stdout
    report = json.loads(Path("p.json").read_text())
    assert report["targets"][0]["seeds"] == [0, 1]
