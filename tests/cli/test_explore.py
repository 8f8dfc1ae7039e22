from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from smallmodel import KNOWN
from typer.testing import CliRunner

from molae.cli import app


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in.smi").write_text("\n".join([*KNOWN, "bad"]) + "\n")
    result = invoke("embed", "in.smi", "-o", "codes.parquet", "--model", model_path, "-q")
    assert result.exit_code == 0, result.stderr
    return Path("codes.parquet")


def test_a_map_is_drawn(codes: Path) -> None:
    pytest.importorskip("plotly")
    result = invoke("explore", codes, "-o", "map.html", "--limit", 7)
    assert result.exit_code == 0, result.stderr
    assert "a random 7 of 8 molecules are drawn (--limit)" in result.stderr
    assert "map.html: 8 of 9 rows ok; 1 failed (no_code 1)" in result.stderr
    assert Path("map.html").read_text().startswith("<!doctype html>")


def test_neighbours_are_found(codes: Path) -> None:
    result = invoke("neighbours", "in.smi", codes, "-k", 2, "-o", "out.csv")
    assert result.exit_code == 0, result.stderr
    assert "out.csv: 8 of 9 rows ok; 1 failed (unparsable 1)" in result.stderr
    assert len(Path("out.csv").read_text().splitlines()) == 1 + 2 * len(KNOWN) + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explore", "in.smi", "-o", "map.html"), "codes are read from"),
        (("explore", "codes.parquet", "-o", "map.html", "--color", "x"), "no column 'x'"),
        (("neighbours", "in.smi", "codes.parquet", "-o", "out.txt"), "cannot write this suffix"),
        (("neighbours", "in.smi", "codes.parquet", "-o", "out.csv", "--model", "graph"), "another model"),
    ],
)
def test_wrong_usage(codes: Path, arguments: tuple[str, ...], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_only_what_can_be_resumed_says_so(codes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("molae.apps.properties.fit.fit_file", interrupted)
    monkeypatch.setattr("molae.apps.explore.maps.map_file", interrupted)
    for arguments in (("fit", "in.smi", "--target", "x"), ("explore", codes)):
        result = invoke(*arguments, "-o", "out.html")
        assert result.exit_code == 130
        assert result.stderr.splitlines()[-1] == "molae: interrupted; nothing was written"
