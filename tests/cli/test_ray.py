"""`--engine ray`: on a local cluster of two workers, the same as on this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from molae.cli import app
from molae.io import PartStore

Run = Callable[..., Any]

# Ray's settings warn of some of their own fields as they are made.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")

ROWS = [f"{'C' * (1 + length % 7)}{'O' * (length % 3)} m{length}" for length in range(600)]
ROWS[5], ROWS[300] = "nonsense m5", ""


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("molae.apps.molecules.CHUNK_SIZE", 8)
    monkeypatch.setattr("molae.apps.conformers.files._CHUNK_SIZE", 4)
    Path("in.smi").write_text("\n".join(ROWS))
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)), input="CO")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_a_killed_actor_costs_nothing(
    run: Run, cluster: None, isomer_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--model", isomer_model_path, "--device", "cpu"]
    assert run("embed", "in.smi", "-o", "whole.parquet", *options).exit_code == 0
    written, killed = [], []
    original = PartStore.write

    def kill(self: PartStore, *arguments: Any) -> None:
        original(self, *arguments)
        written.append(1)
        if len(written) == 2:
            killed.append(next(_actors(os.getpid())))
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(PartStore, "write", kill)
    result = run("embed", "in.smi", "-o", "out.parquet", "--engine", "ray", *options)
    assert result.exit_code == 0, result.output
    assert "598 of 600 rows ok; 2 failed" in result.stderr
    assert killed
    assert Path("out.parquet").read_bytes() == Path("whole.parquet").read_bytes()


def test_shards_stop_and_go_on(run: Run, cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("few.smi").write_text("\n".join(ROWS[:24]))
    arguments = ["conformers", "few.smi", "-n", 1, "--model", "etkdg", "--shard", "2/2", "-o"]
    assert run(*arguments, "whole.sdf").exit_code == 0
    original = PartStore.write

    def interrupt(self: PartStore, index: int, *others: Any) -> None:
        if index == 1:
            raise KeyboardInterrupt
        original(self, index, *others)

    with monkeypatch.context() as patch:
        patch.setattr(PartStore, "write", interrupt)
        assert run(*arguments, "out.sdf", "--engine", "ray").exit_code == 130
    result = run(*arguments, "out.sdf", "--engine", "ray", "--resume")
    assert result.exit_code == 0, result.output
    assert "4 rows from the interrupted run" in result.stderr
    assert Path("out.sdf").read_bytes() == Path("whole.sdf").read_bytes()


def test_what_a_cluster_cannot_do_is_said(run: Run, cluster: None, isomer_model_path: Path) -> None:
    options = ["--engine", "ray", "--model", isomer_model_path, "-o", "out.parquet"]
    result = run("embed", "-", *options)
    assert result.exit_code == 2
    assert "standard input cannot be read by a cluster" in result.stderr
    result = run("embed", "in.smi", "--device", "cuda", *options)
    assert result.exit_code == 2
    assert "the cluster has no GPU" in result.stderr


def test_without_ray_the_extra_is_named(
    run: Run, isomer_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "molae.apps.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run("embed", "in.smi", "--model", isomer_model_path, "-o", "out.parquet", "--engine", "ray")
    assert result.exit_code == 2
    assert 'pip install "molae[ray]"' in result.stderr
    assert not Path("out.parquet").exists()


def _actors(parent: int) -> Iterator[int]:
    """The processes below another in which actors that embed are."""
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            if b"ray::MapWorker(MapBatches(_Actor)" in Path(f"/proc/{child}/cmdline").read_bytes():
                yield child
            yield from _actors(child)
