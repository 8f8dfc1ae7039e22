"""What the command line tells its user, on standard error: progress, log and summary."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from molae.apps.rows import Summary


class Terminal:
    """Talks to the user.

    Args:
        verbose: Whether to tell about every row.
        quiet: Whether to tell about errors only.
    """

    def __init__(self, verbose: bool, quiet: bool) -> None:
        self._quiet = quiet
        logger = logging.getLogger("molae")
        logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)
        if not any(isinstance(handler, _StandardError) for handler in logger.handlers):
            logger.addHandler(_StandardError())

    @contextmanager
    def progress(self, description: str) -> Iterator[Callable[[int, int | None], None]]:
        """Shows a progress bar where there is a terminal.

        Args:
            description: What is going on.
        Yields:
            What to tell how many further rows are done, and how many there are in all, where that is known.
        """
        if self._quiet or not sys.stderr.isatty():
            yield lambda count, total: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns: tuple[Any, ...] = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(TextColumn(description), *columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(description, total=None)

            def advance(count: int, total: int | None) -> None:
                bar.update(task, advance=count, total=total)

            yield advance

    def say(self, text: str) -> None:
        """Prints a line, unless quiet."""
        if not self._quiet:
            print(text, file=sys.stderr)

    def conclude(self, summary: Summary, output: object) -> None:
        """Prints the counts of a run.

        Args:
            summary: The counts.
            output: What was written.
        Raises:
            typer.Exit: With code 1, if no row went well.
        """
        self.say(f"{output}: {summary}")
        if not summary.ok:
            raise typer.Exit(1)


class _StandardError(logging.Handler):
    """Prints to what is standard error at that moment, which a progress bar may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)
