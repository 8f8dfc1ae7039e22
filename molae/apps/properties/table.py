"""Tables of molecules with columns to predict."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from molae.apps.chunks import chunk_sources
from molae.apps.molecules import first_conformers, molecule_workers
from molae.apps.properties.features import Described, Featuriser, Gathering
from molae.apps.properties.targets import Target, Task, has_label, read_target
from molae.apps.rows import Progress, Source, no_progress
from molae.errors import DataError
from molae.io import Chunk
from molae.io.columns import require_column

logger = logging.getLogger("molae.apps")

MOST_ROWS = 50_000
"""Of more rows with labels, so many random ones are used: what is made of them fills some 8 GB of memory."""


@dataclass(frozen=True)
class Table:
    """The molecules of a table that can be used, and cells of some of its columns.

    Attributes:
        molecules: The molecules with their features.
        cells: For each column asked for, what stands there for each of these molecules.
    """

    molecules: Described
    cells: Mapping[str, Sequence[Any]]

    def target(self, name: str, task: Task = "auto") -> Target:
        """Reads a column of labels; what cannot be read is logged, and counts as missing.

        Raises:
            DataError: If there is nothing to learn in it.
        """
        target = read_target(name, self.cells[name], task)
        if target.unreadable:
            row = target.unreadable[0]
            logger.warning(
                "%s: %d labels are no numbers and count as missing, first %r in row %d",
                name,
                len(target.unreadable),
                self.cells[name][row],
                self.molecules.rows[row] + 1,
            )
        return target


def read_table(
    source: Source,
    featuriser: Featuriser,
    targets: Sequence[str],
    others: Sequence[str] = (),
    progress: Progress = no_progress,
    most: int = MOST_ROWS,
) -> Table:
    """Reads a table and computes the features of its molecules.

    Args:
        source: The table.
        featuriser: What computes the features.
        targets: Columns of labels; rows that have none of them are left out.
        others: Further columns whose cells are wanted.
        progress: Told after every few rows.
        most: Of more rows that can be used, so many random ones are.
    Returns:
        The molecules that can be used, and the cells of these columns.
    Raises:
        DataError: If the table cannot be read, lacks a column, or none of its molecules can be used.
    """
    gathering, lottery = Gathering(featuriser), Lottery(most, source.seed)
    cells: dict[str, list[Any]] = {name: [] for name in dict.fromkeys((*targets, *others))}
    names: set[str] = set()
    workers = molecule_workers(featuriser.schema, source.seed, source.num_workers)
    with source.open() as reader, workers:
        chunks = ((chunk, chunk_sources(chunk)) for chunk in reader)
        for chunk, read in workers.map_chunks(chunks, lambda count: progress(count, reader.total)):
            begin = len(cells[targets[0]])
            names.update(chunk.columns.column_names)
            if not reader.columns_vary:
                _require(cells, names, source)
            _add_cells(chunk, cells)
            labels = zip(*(cells[name][begin:] for name in targets), strict=True)
            known = np.array([any(map(has_label, row)) for row in labels], dtype=bool)
            gathering.add(first_conformers(read), lottery.enter(len(read)) & known)
            if gathering.described > 2 * most:
                gathering.keep(lottery.winners(gathering.rows))
    _require(cells, names, source)
    if gathering.described > most:
        gathering.keep(lottery.winners(gathering.rows))
    if lottery.closed:
        logger.warning("%s: of its rows with labels, %d random ones are used", source.path, most)
    molecules = gathering.result()
    if not molecules.summary.ok:
        raise DataError(f"{source.path}: none of its molecules can be used; {molecules.summary}")
    return Table(molecules, {name: [values[row] for row in molecules.rows] for name, values in cells.items()})


class Lottery:
    """Draws so many rows of a stream of unknown length, all with the same chance: those of lowest tickets.

    Args:
        most: How many are drawn at most.
        seed: Seed of the tickets.
    """

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._random = np.random.default_rng(seed)
        self._tickets: list[float] = []
        self._limit = 1.0

    def enter(self, count: int) -> Bool[np.ndarray, " n"]:
        """Gives the next rows their tickets, and tells which of them may still be drawn."""
        tickets = self._random.random(count)
        self._tickets += tickets.tolist()
        return tickets < self._limit

    def winners(self, rows: Int[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
        """Tells which of the rows that could be used are drawn so far; those of higher tickets never will."""
        tickets = np.array([self._tickets[row] for row in rows])
        if len(rows) > self._most:
            self._limit = float(np.partition(tickets, self._most)[self._most])
        return tickets < self._limit

    @property
    def closed(self) -> bool:
        """Whether rows were turned away."""
        return self._limit < 1


def _require(cells: Mapping[str, list[Any]], names: set[str], source: Source) -> None:
    for name in cells:
        require_column(sorted(names), name, str(source.path))


def _add_cells(chunk: Chunk, cells: Mapping[str, list[Any]]) -> None:
    names = chunk.columns.column_names
    for name, values in cells.items():
        # In an SD file, a record may lack a property that others have.
        values += chunk.columns[name].to_pylist() if name in names else [None] * len(chunk.rows)
