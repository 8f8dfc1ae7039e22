from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from molae.apps.bench import STAGES, bench
from molae.cli import app
from molae.errors import ConfigError


def test_figures_and_an_estimate(isomer_model_path: Path, tmp_path: Path) -> None:
    (tmp_path / "in.smi").write_text("CCO\nbad\nCC\n" + "C" * 20 + "\n")
    arguments = ["bench", str(tmp_path / "in.smi"), "--model", str(isomer_model_path), "--seconds", "0.1"]
    arguments += ["--molecules", "3600", "--json", str(tmp_path / "bench.json"), "--device", "cpu"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "3,600 molecules like these" in result.stdout
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["molecules"] == {"up to 16": 2, "17 to 32": 1, "all": 3}
    assert all(found["seconds"][size][stage] > 0 for size in found["molecules"] for stage in STAGES)
    estimate = found["estimate"]
    assert estimate["embed_core_hours"] == pytest.approx(found["embed_seconds"])
    assert estimate["gigabytes"] == pytest.approx(3600 * found["bytes"] / 1e9)


def test_without_a_file_there_are_drugs_to_measure_with(isomer_model_path: Path) -> None:
    found = bench(None, isomer_model_path, seconds=0.01, device="cpu")
    assert set(found.molecules) == {"up to 16", "17 to 32", "33 and more", "all"}


def test_wrong_usage(isomer_model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        bench(None, isomer_model_path, seconds=0)
    (tmp_path / "in.smi").write_text("bad\n")
    result = CliRunner().invoke(
        app, ["bench", str(tmp_path / "in.smi"), "--model", str(isomer_model_path), "--device", "cpu"]
    )
    assert result.exit_code == 2
    assert "no molecule to measure with" in result.stderr
