from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from molae.cli import app


def invoke(*arguments: object) -> Any:
    options = ("--model", "etkdg", "-n", 3)
    return CliRunner().invoke(app, ["conformers", *map(str, (*arguments, *options))])


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("plotly")
    monkeypatch.chdir(tmp_path)
    Path("in.smi").write_text(f"CCCCO </script><b>\nbad junk\nC[C@H](N)CC(=O)O\nC methane\n{'C' * 36} long\n")
    return Path("in.smi")


def data(path: str) -> list[dict[str, Any]]:
    page = Path(path).read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    made: list[dict[str, Any]] = json.loads(found[1])
    return made


def test_a_page_shows_what_was_made(rows: Path) -> None:
    result = invoke(rows, "-o", "out.sdf.gz", "--relax", "mmff", "--html", "out.html")
    assert result.exit_code == 0, result.stderr
    shown = data("out.html")
    assert [each["smiles"] for each in shown[:3]] == ["CCCCO", "C[C@H](N)CC(=O)O", "C"]
    assert shown[0]["name"] == "</script><b>"
    assert shown[0]["facts"] == "3 conformers; made by etkdg (3); energies by MMFF94s"
    kinds = [trace["type"] for trace in shown[0]["figure"]["data"]]
    assert kinds == ["scatter3d", "scatter", "scatter"] * 3
    # Four bonds of heavy atoms, and that of the hydroxyl; of methane, all that there are.
    lengths = [len(each["figure"]["data"][0]["x"]) for each in shown[:3]]
    assert lengths == [15, 27, 12]
    # No codes of so long a chain, so no map.
    assert "bonds that turn" in shown[3]["figure"]["layout"]["xaxis"]["title"]["text"]


def test_without_energies_there_is_no_panel_of_them(rows: Path) -> None:
    rows.write_text("CCCCO\n")
    assert invoke(rows, "-o", "out.sdf", "--html", "out.html").exit_code == 0
    kinds = {trace["type"] for trace in data("out.html")[0]["figure"]["data"]}
    assert kinds == {"scatter3d", "scatter"}
    assert len(data("out.html")[0]["figure"]["data"]) == 6


def test_the_page_needs_no_network(rows: Path) -> None:
    rows.write_text("CCO\n")
    assert invoke(rows, "-o", "out.sdf", "--html", "out.html").exit_code == 0
    page = Path("out.html").read_text()
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=", page.replace(plotly_script(), ""))


def plotly_script() -> str:
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def test_wrong_usage_is_found_before_any_work(rows: Path) -> None:
    result = invoke(rows, "-o", "out.sdf", "--html", "out.txt")
    assert result.exit_code == 2
    assert "expected one of .html" in result.stderr
    assert not Path("out.sdf").exists()


def test_without_any_success_there_is_no_page(rows: Path) -> None:
    rows.write_text("bad\n")
    assert invoke(rows, "-o", "out.sdf", "--html", "out.html").exit_code == 1
    assert not Path("out.html").exists()
