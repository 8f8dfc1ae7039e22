from __future__ import annotations

import csv
import logging
from pathlib import Path

import pytest

from molae.training.logs import CsvTable, RunLog


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_may_bring_new_columns(tmp_path: Path) -> None:
    table = CsvTable(tmp_path / "metrics.csv", step=0)
    table.append({"step": 1, "loss": 0.5})
    table.append({"step": 1, "exact": 0.25})
    table.append({"step": 2, "loss": 0.125})
    assert read(table.path) == [
        {"step": "1", "loss": "0.5", "exact": ""},
        {"step": "1", "loss": "", "exact": "0.25"},
        {"step": "2", "loss": "0.125", "exact": ""},
    ]


@pytest.mark.parametrize("step", [0, 2])
def test_a_resumed_table_drops_the_rows_after_its_step(tmp_path: Path, step: int) -> None:
    first = CsvTable(tmp_path / "metrics.csv", step=0)
    for number in range(1, 5):
        first.append({"step": number, "loss": 1.0})
    resumed = CsvTable(tmp_path / "metrics.csv", step)
    resumed.append({"step": step + 1, "loss": 2.0})
    assert [int(row["step"]) for row in read(resumed.path)] == list(range(1, step + 2))
    assert read(resumed.path)[-1]["loss"] == "2.0"


def test_lines_in_the_log_where_there_is_no_terminal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = RunLog(tmp_path, start=0, steps=10)
    with caplog.at_level(logging.INFO, logger="molae.training"):
        for step in range(1, 4):
            log.training(step, {"loss": 0.5, "graphs_per_second": 100.0})
        log.validation(3, {"exact": 0.75})
    log.close()
    assert caplog.messages == [
        "step 1 of 10: loss 0.5  100 graphs/s",
        "step 3 of 10: validation: exact 0.75",
    ]
    assert list((tmp_path / "tensorboard").glob("events.*"))
