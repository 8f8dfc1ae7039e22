"""What a run reports: a CSV table, TensorBoard events, and a progress bar or lines in the log."""

from __future__ import annotations

import csv
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger("molae.training")

LINE_SECONDS = 30.0
"""Time between lines in the log where there is no terminal for a progress bar."""


class CsvTable:
    """A CSV table that grows by rows, and by columns when a row has new ones.

    Args:
        path: File of the table; rows up to `step` that it already has are kept, later ones dropped.
        step: Step at which the run goes on.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.columns: list[str] = []
        if path.exists():
            rows = [row for row in self._rows() if int(row["step"]) <= step]
            self._rewrite(rows, list(rows[0]) if rows else [])

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row, which is on the disk when this returns."""
        new = [name for name in row if name not in self.columns]
        if new:
            self._rewrite(self._rows() if self.path.exists() else [], self.columns + new)
        with self.path.open("a", newline="") as stream:
            csv.DictWriter(stream, self.columns).writerow(row)

    def _rows(self) -> list[dict[str, str]]:
        with self.path.open(newline="") as stream:
            return list(csv.DictReader(stream))

    def _rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        self.columns = columns
        partial = self.path.with_name(f".{self.path.name}")
        with partial.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(partial, self.path)


class RunLog:
    """All reports of a run.

    Args:
        folder: Folder of the run; it gets `metrics.csv` and, in `tensorboard`, event files.
        start: Step at which the run starts or goes on.
        steps: Step at which it ends.
    """

    def __init__(self, folder: Path, start: int, steps: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.steps = steps
        self._table = CsvTable(folder / "metrics.csv", start)
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)
        self._bar = _progress_bar() if sys.stderr.isatty() else None
        self._next_line = 0.0
        if self._bar is not None:
            self._task = self._bar.add_task("", total=steps, completed=start)
            self._bar.start()

    def training(self, step: int, figures: Mapping[str, float]) -> None:
        """Reports the figures of the training steps up to `step`."""
        self._record(step, {f"train/{name}": value for name, value in figures.items()})
        line = f"loss {figures['loss']:.4g}  {figures['graphs_per_second']:.0f} graphs/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=step, description=line)
        elif time.monotonic() >= self._next_line:
            logger.info("step %d of %d: %s", step, self.steps, line)
            self._next_line = time.monotonic() + LINE_SECONDS

    def validation(self, step: int, figures: Mapping[str, float]) -> None:
        """Reports the figures of a validation after `step` steps."""
        self._record(step, {f"validation/{name}": value for name, value in figures.items()})
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.message(f"step {step} of {self.steps}: validation: {shown}")

    def message(self, text: str) -> None:
        """Reports an event, above the progress bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(text, highlight=False)
        else:
            logger.info(text)

    def close(self) -> None:
        """Ends the progress bar and writes out all events."""
        if self._bar is not None:
            self._bar.stop()
        self._events.close()

    def _record(self, step: int, figures: Mapping[str, float]) -> None:
        self._table.append({"step": step, **figures})
        for name, value in figures.items():
            self._events.add_scalar(name, value, step)


class SilentLog:
    """Stands for `RunLog` in all processes but the first."""

    def training(self, step: int, figures: Mapping[str, float]) -> None:
        """Reports nothing."""

    def validation(self, step: int, figures: Mapping[str, float]) -> None:
        """Reports nothing."""

    def message(self, text: str) -> None:
        """Reports nothing."""

    def close(self) -> None:
        """Has nothing to end."""


def _progress_bar() -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
    )
