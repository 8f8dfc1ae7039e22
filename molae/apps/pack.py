"""Files of molecules to packed data sets for training."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from molae.apps.molecules import first_conformers, molecule_schema, molecule_workers
from molae.apps.rows import Progress, Source, Summary, chunk_sources, no_progress
from molae.batch.packed import pack
from molae.batch.schema import Schema
from molae.errors import ConfigError, DataError, RowError
from molae.io import atomic_path
from molae.types import Graph

MAX_ATOMS = 50
PACKED_SUFFIX = ".safetensors"


def pack_file(
    source: Source,
    output: str | Path,
    max_atoms: int = MAX_ATOMS,
    conformers: int = 1,
    *,
    hydrogens: bool = False,
    coordinates: bool = True,
    progress: Progress = no_progress,
) -> Summary:
    """Packs the molecules of a file for training; rows that cannot be used are left out and counted.

    Args:
        source: The input.
        output: Path of the packed data set, `.safetensors`; nothing is written if no row can be used.
        max_atoms: Most atoms of a molecule, and of what a model trained on the data takes; at most 255.
        conformers: Conformers to try for molecules that come without 3D positions.
        hydrogens: Whether hydrogens are nodes of the graphs, not counts on the atoms that bear them.
        coordinates: Whether the graphs have positions; without, no conformer is made, and stereo is in
            categories of the atoms and bonds.
        progress: Told after every few rows.
    Returns:
        The counts of rows; a row may give several graphs.
    Raises:
        DataError: If the input cannot be read, or the output not be written.
        ConfigError: If a number is out of range.
    """
    path = Path(output)
    _check(path, max_atoms, conformers)
    schema = molecule_schema(max_atoms, coordinates, hydrogens)
    summary = Summary()
    graphs = _graphs(source, schema, conformers, summary, progress)
    first = next(graphs, None)
    if first is not None:
        with atomic_path(path) as temporary:
            pack(chain([first], graphs), schema, temporary)
    return summary


def _graphs(
    source: Source, schema: Schema, conformers: int, summary: Summary, progress: Progress
) -> Iterator[tuple[int, Graph]]:
    workers = molecule_workers(schema, source.seed, source.num_workers, conformers)
    with source.open() as reader, workers:
        chunks = (([row.number for row in chunk.rows], chunk_sources(chunk)) for chunk in reader)
        for numbers, read in workers.map_chunks(chunks, lambda count: progress(count, reader.total)):
            summary.count(first_conformers(read), [r if isinstance(r, RowError) else None for r in read])
            for number, molecules in zip(numbers, read, strict=True):
                if not isinstance(molecules, RowError):
                    yield from ((number, molecule.graph) for molecule in molecules)


def _check(path: Path, max_atoms: int, conformers: int) -> None:
    if path.suffix != PACKED_SUFFIX:
        raise DataError(f"{path}: packed data sets have the suffix {PACKED_SUFFIX}")
    if not path.parent.is_dir():
        raise DataError(f"there is no folder {path.parent} to write {path.name} to")
    if not 1 <= max_atoms <= 255:
        raise ConfigError(f"max_atoms: expected 1 to 255, got {max_atoms}")
    if conformers < 1:
        raise ConfigError(f"conformers: expected at least 1, got {conformers}")
