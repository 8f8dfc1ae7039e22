"""Tables of molecules with columns to predict."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from molae.apps.chunks import chunk_sources
from molae.apps.molecules import first_conformers, molecule_workers
from molae.apps.properties.features import Described, Featuriser, Gathering
from molae.apps.properties.targets import Target, Task, read_target
from molae.apps.rows import Progress, Source, no_progress
from molae.errors import DataError
from molae.io import Chunk
from molae.io.columns import require_column

logger = logging.getLogger("molae.apps")


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
    source: Source, featuriser: Featuriser, columns: Sequence[str], progress: Progress = no_progress
) -> Table:
    """Reads a table and computes the features of its molecules.

    Args:
        source: The table.
        featuriser: What computes the features.
        columns: Columns whose cells are wanted.
        progress: Told after every few rows.
    Returns:
        The molecules that can be used, and the cells of these columns.
    Raises:
        DataError: If the table cannot be read, lacks a column, or none of its molecules can be used.
    """
    gathering = Gathering(featuriser)
    cells: dict[str, list[Any]] = {name: [] for name in columns}
    workers = molecule_workers(featuriser.schema, source.seed, source.num_workers)
    with source.open() as reader, workers:
        chunks = ((chunk, chunk_sources(chunk)) for chunk in reader)
        for chunk, read in workers.map_chunks(chunks, lambda count: progress(count, reader.total)):
            _add_cells(chunk, cells, str(source.path))
            gathering.add(first_conformers(read))
    molecules = gathering.result()
    if not len(molecules.rows):
        raise DataError(f"{source.path}: none of its molecules can be used; {molecules.summary}")
    return Table(molecules, {name: [values[row] for row in molecules.rows] for name, values in cells.items()})


def _add_cells(chunk: Chunk, cells: Mapping[str, list[Any]], source: str) -> None:
    names = chunk.columns.column_names
    for name, values in cells.items():
        # In an SD file, later records may lack a property that earlier ones have.
        if not values:
            require_column(names, name, source)
        values += chunk.columns[name].to_pylist() if name in names else [None] * len(chunk.rows)
