from __future__ import annotations

import json
from pathlib import Path

import pytest
from smallmodel import KNOWN

from molae.apps.evaluate import evaluate_reconstruction
from molae.apps.rows import Source
from molae.catalogue import fingerprint, read_description
from molae.errors import DataError


def write(path: Path, rows: list[tuple[str, object]]) -> Source:
    path.write_text("smiles,gdb_index\n" + "".join(f"{smiles},{index}\n" for smiles, index in rows))
    return Source(path)


def test_every_row_counts(model_path: Path, tmp_path: Path) -> None:
    rows = [(smiles, 1) for smiles in KNOWN] + [("bad", 1), ("[He]", 1)]
    report = evaluate_reconstruction(write(tmp_path / "x.csv", rows), model_path)
    figures = report["figures"]
    assert figures["count"] == 10
    assert figures["failed"] == 2
    assert figures["exact_rate"] == pytest.approx(0.8)
    assert figures["stereo_count"] == 2
    assert report["unread"] == {"unparsable": 1, "element": 1}
    assert report["undecoded"] == {}
    assert report["weights_sha256"] == fingerprint(read_description(model_path))
    assert (report["data"], report["split"]) == ("x.csv", "all")
    assert report["by_heavy_atoms"]["6"]["exact_rate"] == 1.0
    assert sum(each["count"] for each in report["by_heavy_atoms"].values()) == 8
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize(("split", "count"), [("all", 5), ("qm9-test", 2), ("qm9-validation", 1)])
def test_splits_go_by_the_index(model_path: Path, tmp_path: Path, split: str, count: int) -> None:
    source = write(tmp_path / "x.csv", [("CO", 20), ("CO", 21), ("C#N", 40), ("CO", 22), ("CO", 39)])
    assert evaluate_reconstruction(source, model_path, split)["figures"]["count"] == count  # type: ignore[arg-type]


def test_a_split_needs_its_column(model_path: Path, tmp_path: Path) -> None:
    (tmp_path / "x.smi").write_text("CO\n")
    with pytest.raises(DataError, match="no column 'gdb_index'"):
        evaluate_reconstruction(Source(tmp_path / "x.smi"), model_path, "qm9-test")
    with pytest.raises(DataError, match="must hold integers"):
        evaluate_reconstruction(write(tmp_path / "x.csv", [("CO", "x")]), model_path, "qm9-test")
    with pytest.raises(DataError, match="no row in the split"):
        evaluate_reconstruction(write(tmp_path / "x.csv", [("CO", 5)]), model_path, "qm9-test")
