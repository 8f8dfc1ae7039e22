"""Damaged input, a full disk, processes that die: earlier work is kept, and messages are plain."""

from __future__ import annotations

import errno
import gzip
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from molae.cli import app

Run = Callable[..., Any]

ROWS = [f"{'C' * (1 + length % 7)}{'O' * (length % 3)} m{length}" for length in range(3000)]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, isomer_model_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("molae.apps.molecules.CHUNK_SIZE", 64)

    def run(*arguments: object) -> Any:
        options = ["--model", str(isomer_model_path), "--device", "cpu"]
        return CliRunner().invoke(app, [*map(str, arguments), *options])

    return run


def test_a_truncated_gzip_is_repaired_and_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress("\n".join(ROWS).encode(), mtime=0)
    Path("in.smi.gz").write_bytes(packed[: len(packed) // 2])
    result = run("embed", "in.smi.gz", "-o", "out.parquet")
    assert result.exit_code == 2
    said = result.stderr.splitlines()[-1]
    assert "in.smi.gz is damaged or truncated" in said
    assert (
        "the rows finished before stay in out.parquet.parts: repair the input, then --resume goes on" in said
    )
    Path("in.smi.gz").write_bytes(packed)
    result = run("embed", "in.smi.gz", "-o", "out.parquet", "--resume")
    assert result.exit_code == 0, result.output
    assert "rows from the interrupted run" in result.stderr
    assert run("embed", "in.smi.gz", "-o", "whole.parquet").exit_code == 0
    assert Path("out.parquet").read_bytes() == Path("whole.parquet").read_bytes()


def test_a_full_disk_ends_the_run_with_a_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.smi").write_text("\n".join(ROWS[:1200]))
    original = pa.ipc.RecordBatchStreamWriter.write_table
    written: list[int] = []

    def full(self: pa.ipc.RecordBatchStreamWriter, *arguments: object) -> None:
        written.append(1)
        if len(written) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(pa.ipc.RecordBatchStreamWriter, "write_table", full)
        result = run("embed", "in.smi", "-o", "out.parquet")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "molae: cannot write out.parquet: No space left on device; the rows finished before stay in"
        " out.parquet.parts, --resume goes on"
    )
    result = run("embed", "in.smi", "-o", "out.parquet", "--resume")
    assert "1024 rows from the interrupted run" in result.stderr
    assert pq.read_table("out.parquet")["id"].to_pylist() == [row.split()[1] for row in ROWS[:1200]]


def test_a_folder_that_must_not_be_written_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.smi").write_text("CO\n")

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    result = run("embed", "in.smi", "-o", "out.parquet")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "molae: cannot write to .: Permission denied"


def test_a_worker_that_is_killed_costs_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.smi").write_text("\n".join(ROWS[:1200]))
    assert run("embed", "in.smi", "-o", "whole.parquet").exit_code == 0
    kills: list[int] = []
    original = pa.ipc.RecordBatchStreamWriter.write_table

    def kill(self: pa.ipc.RecordBatchStreamWriter, *arguments: object) -> None:
        import multiprocessing

        children = multiprocessing.active_children()
        if children and not kills:
            kills.append(1)
            os.kill(children[0].pid or 0, signal.SIGKILL)
        original(self, *arguments)

    monkeypatch.setattr(pa.ipc.RecordBatchStreamWriter, "write_table", kill)
    result = run("embed", "in.smi", "-o", "out.parquet", "--num-workers", "1")
    assert result.exit_code == 0, result.output
    assert kills
    assert Path("out.parquet").read_bytes() == Path("whole.parquet").read_bytes()
