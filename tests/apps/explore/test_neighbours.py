from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from smallmodel import KNOWN

from molae.apps.explore.neighbours import neighbours_file
from molae.apps.files import embed_file
from molae.apps.origin import CodesOrigin
from molae.apps.rows import Source
from molae.errors import CheckpointError, ConfigError, DataError, RowError

Find = Callable[..., dict[str, list[Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_path: Path, isomer_model_path: Path) -> Path:
    folder = tmp_path_factory.mktemp("codes")
    lines = [f"{smiles},m{number}" for number, smiles in enumerate([*KNOWN, "bad"])]
    (folder / "in.csv").write_text("\n".join(["smiles,id", *lines]) + "\n")
    for name in ("codes.parquet", "codes.csv"):
        embed_file(Source(folder / "in.csv"), folder / name, model_path)
    embed_file(Source(folder / "in.csv"), folder / "other.parquet", isomer_model_path)
    (folder / "query.smi").write_text("OC(C)=O acid\nbad b\nc1ccccc1 benzene\n")
    return folder


@pytest.fixture
def find(folder: Path, tmp_path: Path) -> Find:
    def run(query: str, codes: str, k: int, **options: Any) -> dict[str, list[Any]]:
        output = tmp_path / "out.csv"
        neighbours_file(Source(folder / query), folder / codes, output, k, **options)
        return pacsv.read_csv(output).to_pydict()

    return run


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_molecules_find_themselves_first(find: Find, metric: str) -> None:
    out = find("query.smi", "codes.parquet", 2, metric=metric)
    assert out["query_row"] == [1, 1, 2, 3, 3]
    assert out["query_id"] == ["acid", "acid", "b", "benzene", "benzene"]
    assert out["status"] == ["ok", "ok", "failed", "ok", "ok"]
    assert "valid SMILES" in out["error"][2]
    assert out["rank"] == [1, 2, None, 1, 2]
    assert [out["neighbour_smiles"][place] for place in (0, 2, 3)] == ["CC(=O)O", "", "c1ccccc1"]
    assert out["neighbour_row"][0] == KNOWN.index("CC(=O)O") + 1
    assert out["distance"][0] == pytest.approx(0, abs=1e-4)
    assert out["distance"][1] > out["distance"][0]


def test_failed_queries_may_be_dropped_or_fail(find: Find) -> None:
    assert find("query.smi", "codes.parquet", 1, on_error="drop")["query_row"] == [1, 3]
    with pytest.raises(RowError, match="row 2"):
        find("query.smi", "codes.parquet", 1, on_error="fail")


def test_codes_among_themselves(find: Find) -> None:
    out = find("codes.parquet", "codes.parquet", 3)
    found = zip(out["query_row"], out["neighbour_row"], strict=True)
    assert all(query != neighbour for query, neighbour in found)
    assert len(out["rank"]) == 3 * len(KNOWN) + 1
    assert out["error"][-1] == "the file has no code for it"


def test_codes_are_queries_too(find: Find) -> None:
    out = find("codes.csv", "codes.parquet", 1)
    assert out["query_row"][:-1] == out["neighbour_row"][:-1]
    with pytest.raises(DataError, match="embed both with one model"):
        find("other.parquet", "codes.parquet", 1)


def test_more_than_there_are(find: Find) -> None:
    assert max(filter(None, find("query.smi", "codes.parquet", 99)["rank"])) == len(KNOWN)


def test_the_model_must_be_known_and_the_same(find: Find, model_path: Path, isomer_model_path: Path) -> None:
    with pytest.raises(ConfigError, match="--model"):
        find("query.smi", "codes.csv", 1)
    named = find("query.smi", "codes.csv", 1, model=model_path)
    assert named == find("query.smi", "codes.parquet", 1)
    with pytest.raises(CheckpointError, match="came from another model"):
        find("query.smi", "codes.parquet", 1, model=isomer_model_path)


def test_of_codes_with_a_summary_the_summaries_are_compared(tmp_path: Path) -> None:
    vectors = np.float32([[1, 0, 9, 9], [0.9, 0.1, -9, 9], [0, 1, 9, 9]])
    table = pa.table(
        {
            "smiles": ["C", "CC", "CCC"],
            "embedding": pa.FixedSizeListArray.from_arrays(vectors.ravel(), 4),
        }
    )
    for summary, nearest_row in ((2, 2), (0, 3)):
        metadata = CodesOrigin("anything", "0" * 64, 0, summary).metadata()
        pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "codes.parquet")
        out = tmp_path / "out.csv"
        neighbours_file(Source(tmp_path / "codes.parquet"), tmp_path / "codes.parquet", out, 1)
        assert pacsv.read_csv(out).to_pydict()["neighbour_row"][0] == nearest_row
