"""`--shard` of every verb that has it: the parts are those of the undivided run, and join."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from molae.apps.explore.codes import read_codes
from molae.cli import app

Run = Callable[..., Any]

ROWS = "CO methanol\nbad junk\n\nCC\nCCN\nc1ccccc1\nC#N\nO=C=O\nCC(=O)O\nCCC\nC[C@H](F)Cl\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    # Chunks so small that every file has several, whose ends are not those of shards.
    monkeypatch.setattr("molae.apps.molecules.CHUNK_SIZE", 4)
    monkeypatch.setattr("molae.apps.conformers.files._CHUNK_SIZE", 4)
    monkeypatch.setattr("molae.apps.conformers.prepare._CHUNK_SIZE", {"mmff": 4})
    (tmp_path / "in.smi").write_text(ROWS)
    (tmp_path / "parts").mkdir()

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(app, [*map(str, arguments), "-q"])

    return run


@pytest.mark.parametrize("verb", ["embed", "reconstruct"])
def test_shards_of_a_table_are_rows_of_the_whole(run: Run, verb: str, model_path: Path) -> None:
    model = ["--model", model_path, "--device", "cpu"]
    assert run(verb, "in.smi", "-o", "whole.parquet", *model).exit_code == 0
    for number in (1, 2, 3):
        result = run(
            verb, "in.smi", "-o", f"parts/{number}.parquet", "--shard", f"{number}/3", *model, "--resume"
        )
        assert result.exit_code == 0, result.output
    parts = [pq.read_table(f"parts/{number}.parquet") for number in (1, 2, 3)]
    assert [len(part) for part in parts] == [3, 4, 4]
    rows = [row for part in parts for row in part.to_pylist()]
    # Down to the last digit.
    assert rows == pq.read_table("whole.parquet").to_pylist()
    # The folder is an input like a file.
    for source, output in (("parts", "again.parquet"), ("whole.parquet", "whole_again.parquet")):
        assert run(verb, source, "-o", output, *model).exit_code == 0
    assert pq.read_table("again.parquet").to_pylist() == pq.read_table("whole_again.parquet").to_pylist()
    if verb == "embed":
        np.testing.assert_array_equal(read_codes("parts").vectors, read_codes("whole.parquet").vectors)
        assert read_codes("parts").origin == read_codes("whole.parquet").origin


def test_shards_of_conformers_are_records_of_the_whole(run: Run) -> None:
    for number in (1, 2, 3):
        output = f"parts/{number}.sdf.gz"
        assert run("conformers", "in.smi", "-n", 2, "-o", output, "--shard", f"{number}/3").exit_code == 0
    assert run("conformers", "in.smi", "-n", 2, "-o", "whole.sdf").exit_code == 0
    # As `cat parts/*.sdf.gz` joins them.
    joined = b"".join(Path(f"parts/{number}.sdf.gz").read_bytes() for number in (1, 2, 3))
    assert gzip.decompress(joined) == Path("whole.sdf").read_bytes()


def test_shards_of_ensembles_keep_the_numbers_of_the_rows(run: Run) -> None:
    options = ["-n", 3]
    for number in (1, 2):
        output = f"parts/{number}.parquet"
        assert run("prepare", "in.smi", "-o", output, "--shard", f"{number}/2", *options).exit_code == 0
    assert run("prepare", "in.smi", "-o", "whole.parquet", *options).exit_code == 0
    rows = [row for number in (1, 2) for row in pq.read_table(f"parts/{number}.parquet").to_pylist()]
    assert rows == pq.read_table("whole.parquet").to_pylist()
    assert [row["row"] for row in rows] == list(range(1, 12))


def test_a_shard_does_not_go_on_where_another_stopped(
    run: Run, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["embed", "in.smi", "-o", "out.parquet", "--model", model_path, "--device", "cpu"]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("molae.io.PartStore.finish", interrupted)
        assert run(*arguments, "--shard", "1/2").exit_code == 130
    refused = run(*arguments, "--shard", "2/2", "--resume")
    assert refused.exit_code == 2
    assert "made with another shard" in refused.stderr
    assert run(*arguments, "--shard", "1/2", "--resume").exit_code == 0
    assert len(pq.read_table("out.parquet")) == 5


@pytest.mark.parametrize("shard", ["3/2", "one"])
def test_wrong_shards_are_wrong_usage(run: Run, shard: str) -> None:
    result = run("embed", "in.smi", "-o", "out.parquet", "--shard", shard)
    assert result.exit_code == 2
    assert "expected I/N" in result.stderr
