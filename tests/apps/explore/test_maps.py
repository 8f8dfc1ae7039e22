from __future__ import annotations

import base64
import json
import re
import sys
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from molae.apps.explore.colours import MISSING, OTHERS, read_colours
from molae.apps.explore.drawings import GROUP, draw_compact, pack_texts
from molae.apps.explore.maps import map_file
from molae.apps.explore.projection import project
from molae.errors import ConfigError, DataError
from molae.io import matrix_column

SMILES = ["CCO", "OCC", "c1ccccc1C(=O)[O-]", "C[C@H](N)C(=O)O", "F/C=C/F", "nonsense", None]


def write_codes(path: Path, count: int = 7) -> Path:
    vectors = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    smiles = [SMILES[place % len(SMILES)] for place in range(count)]
    columns = {
        "smiles": pa.array(smiles, pa.string()),
        "name": pa.array([f"m{place} </script><b>{{{{figure}}}}" for place in range(count)]),
        "logP": pa.array([None, *np.linspace(-1, 3, count - 1)]),
        "kind": pa.array([f"k{place % 2}" for place in range(count)]),
        "embedding": matrix_column(vectors, np.arange(count) != 3),
    }
    pq.write_table(pa.table(columns), path)
    return path


def unpacked(groups: list[str]) -> list[str]:
    texts = [zlib.decompress(base64.b64decode(group)).decode() for group in groups]
    return [line for text in texts for line in text.split("\n")]


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("color", [None, "logP", "kind"])
def test_a_page_holds_all_it_needs(tmp_path: Path, color: str | None) -> None:
    pytest.importorskip("plotly")
    summary, facts = map_file(write_codes(tmp_path / "codes.parquet"), tmp_path / "map.html", color)
    assert (summary.ok, dict(summary.failed)) == (6, {"no_code": 1})
    assert "1 of 7 rows have no code and are left out" in facts
    page = (tmp_path / "map.html").read_text()
    assert "<b>{{figure}}" not in page
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)
    data = data_of(page)
    drawings = unpacked(data["drawings"])
    assert [bool(drawing) for drawing in drawings] == [True, True, True, True, False, False]
    assert unpacked(data["texts"])[1] == "OCC\tCCO\tm1 </script><b>{{figure}}"
    about = [json.loads(line) for line in unpacked(data["about"])]
    assert [each[data["names"].index("row")] for each in about] == ["1", "2", "3", "5", "6", "7"]
    assert sorted(place for part in data["places"] for place in part) == list(range(6))
    assert len(data["places"]) == {None: 1, "logP": 2, "kind": 2}[color]
    assert len(data["x"]) == len(data["y"]) == 6


def test_the_summary_of_a_named_model_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    np.save(tmp_path / "codes.npy", np.random.default_rng(0).normal(size=(9, 640)).astype(np.float32))
    _, facts = map_file(tmp_path / "codes.npy", tmp_path / "map.html")
    assert "640 numbers a molecule, the whole code" in facts
    _, facts = map_file(tmp_path / "codes.npy", tmp_path / "map.html", model="graph")
    assert "240 numbers a molecule, the summary, codes of graph" in facts


def test_more_molecules_than_the_limit(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    codes = write_codes(tmp_path / "codes.parquet", 2500)
    for name in ("a.html", "b.html"):
        summary, facts = map_file(codes, tmp_path / name, limit=2300)
    assert summary.ok == 2499
    assert "a random 2300 of 2499 molecules" in facts
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    data = data_of((tmp_path / "a.html").read_text())
    assert len(data["drawings"]) == 2300 / GROUP
    rows = [int(json.loads(line)[0]) for line in unpacked(data["about"])]
    assert rows == sorted(set(rows))
    assert 4 not in rows


def test_wrong_requests_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = write_codes(tmp_path / "codes.parquet")
    with pytest.raises(DataError, match="did you mean 'logP'"):
        map_file(codes, tmp_path / "map.html", "logp")
    with pytest.raises(DataError, match="cannot write this suffix"):
        map_file(codes, tmp_path / "map.pdf")
    with pytest.raises(DataError, match="no folder"):
        map_file(codes, tmp_path / "no" / "map.html")
    with pytest.raises(ConfigError, match="limit"):
        map_file(codes, tmp_path / "map.html", limit=0)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ConfigError, match=r"molae\[explore\]"):
        map_file(codes, tmp_path / "map.html")
    assert not (tmp_path / "map.html").exists()


@pytest.mark.parametrize("smiles", ["CCO", "C[C@H](N)C(=O)[O-]", "[13CH3]C~[*]", "[CH3]", "[Na+].[Cl-]"])
def test_a_drawing_is_what_rdkit_draws(smiles: str) -> None:
    drawn = draw_compact(Chem.MolFromSmiles(smiles))
    assert "\n" not in drawn
    root = ElementTree.fromstring(f"<svg>{drawn}</svg>")
    assert {element.tag for element in root} <= {"path", "text"}
    assert not re.search(r"\d\.\d", drawn)
    labels = "".join(element.text or "" for element in root if element.tag == "text")
    assert labels.startswith({"CCO": "OH", "[CH3]": "CH3", "[Na+].[Cl-]": "Na+Cl-"}.get(smiles, labels))


def test_texts_are_packed_in_groups() -> None:
    texts = [f"µ{number}" for number in range(2 * GROUP + 1)]
    assert len(pack_texts(texts)) == 3
    assert unpacked(pack_texts(texts)) == texts


def test_numbers_are_a_scale_and_others_are_groups() -> None:
    numbers = read_colours("x", ["1.5", "", None, "2", float("nan")]).numbers
    np.testing.assert_array_equal(numbers, [1.5, np.nan, np.nan, 2, np.nan])
    classes = read_colours("x", [1, 0, 1, None])
    assert classes.numbers is None
    assert classes.legend == ["1", "0", MISSING]
    many = read_colours("x", [*"aabbccddeeffgghhii", "j", "k"])
    assert many.legend == [*"abcdefghi", OTHERS]
    with pytest.raises(DataError, match="is empty"):
        read_colours("x", ["", None])


def test_projections() -> None:
    codes = np.random.default_rng(0).normal(size=(40, 6)) * [9, 5, 1, 1, 1, 1]
    points, axes = project(codes)
    assert points.shape == (40, 2)
    assert re.fullmatch(r"component 1 \(\d\d% of variance\)", axes[0])
    np.testing.assert_allclose(np.abs(np.corrcoef(points[:, 0], codes[:, 0])[0, 1]), 1, atol=0.1)
    for few in (codes[:1], codes[:2, :1], np.repeat(codes[:1], 5, axis=0)):
        assert np.isfinite(project(few)[0]).all()
    with pytest.raises(ConfigError, match="projection"):
        project(codes, "tsne")  # type: ignore[arg-type]


def test_umap() -> None:
    pytest.importorskip("umap")
    codes = np.random.default_rng(0).normal(size=(12, 6))
    points, _ = project(codes, "umap", 1)
    assert points.shape == (12, 2)
    assert np.isfinite(points).all()
    np.testing.assert_array_equal(points, project(codes, "umap", 1)[0])
    with pytest.raises(DataError, match="at least 5"):
        project(codes[:4], "umap")


def test_umap_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match=r"molae\[umap\]"):
        project(np.zeros((9, 3)), "umap")
