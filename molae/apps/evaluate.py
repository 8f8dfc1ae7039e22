"""The reconstruction protocol over a file of molecules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from molae.apps.chunks import chunk_sources
from molae.apps.embed import BATCH_SIZE
from molae.apps.loading import open_model
from molae.apps.molecules import Molecule, first_conformers, molecule_workers
from molae.apps.molecules import Source as Molecular
from molae.apps.reconstruct import Reconstructed, reconstruct_read
from molae.apps.rows import Progress, Source, no_progress
from molae.catalogue import fingerprint, read_description, resolve
from molae.errors import DataError, RowError
from molae.io import Reader
from molae.metrics.reconstruction import Reconstruction, summarise

Split = Literal["all", "qm9-test", "qm9-validation"]

_SPLIT_COLUMN = "gdb_index"
_SPLIT_PERIOD = 20
_REMAINDERS = {"qm9-test": 0, "qm9-validation": 1}


def evaluate_reconstruction(
    source: Source,
    model: str | Path = "molecule",
    split: Split = "all",
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measures how well molecules survive the way to their codes and back.

    Every row of the split counts: one that the model cannot take, or whose code decodes to no valid
    molecule, is not exact, and is counted by kind.

    Args:
        source: The input; conformers are made for molecules without 3D positions, if the model needs them.
        model: Name of a shipped model, or path of a model directory.
        split: Which rows: `all`, or those of QM9 whose `gdb_index` leaves a remainder of 0 (`qm9-test`) or 1
            (`qm9-validation`) on division by 20.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        progress: Told after every few rows.
    Returns:
        The report, as JSON can hold it: `protocol`, `model`, `weights_sha256`, `data`, `split`, `seed`;
        `figures` (see `molae.metrics.reconstruction.summarise`; null where there is nothing to average);
        `unread` and `undecoded`, the failures by kind; `by_heavy_atoms`, figures for each size of molecule.
    Raises:
        DataError: If the input cannot be read, lacks the column of the split, or has no row in it.
        MolaeError: If the model cannot be used.
    """
    description = read_description(resolve(model))
    opened = open_model(model, device)
    found: list[Reconstruction] = []
    by_size: dict[int, list[Reconstruction]] = {}
    unread: Counter[str] = Counter()
    undecoded: Counter[str] = Counter()
    with source.open() as reader, molecule_workers(opened.schema, source.seed, source.num_workers) as workers:
        chunks = _chunks_of_split(reader, split)
        for _, read in workers.map_chunks(chunks, lambda count: progress(count, None)):
            molecules = first_conformers(read)
            results = reconstruct_read(opened, molecules, batch_size)
            for molecule, result in zip(molecules, results, strict=True):
                found.append(result.comparison)
                _count(molecule, result, by_size, unread, undecoded)
    if not found:
        raise DataError(f"{source.path} has no row in the split {split!r}")
    return {
        "protocol": "reconstruction",
        "model": str(model),
        "weights_sha256": fingerprint(description),
        "data": Path(source.path).name,
        "split": split,
        "seed": source.seed,
        "figures": _without_nan(summarise(found)),
        "unread": dict(unread),
        "undecoded": dict(undecoded),
        "by_heavy_atoms": {str(size): _without_nan(summarise(by_size[size])) for size in sorted(by_size)},
    }


def _chunks_of_split(reader: Reader, split: Split) -> Iterator[tuple[None, list[Molecular]]]:
    for chunk in reader:
        sources = chunk_sources(chunk)
        if split == "all":
            yield None, sources
            continue
        if _SPLIT_COLUMN not in chunk.columns.column_names:
            raise DataError(f"{reader.source} has no column {_SPLIT_COLUMN!r}, which --split {split} goes by")
        try:
            indices = pc.cast(chunk.columns[_SPLIT_COLUMN], pa.int64()).to_pylist()
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{reader.source}: column {_SPLIT_COLUMN!r} must hold integers: {error}"
            ) from error
        wanted = [index is not None and index % _SPLIT_PERIOD == _REMAINDERS[split] for index in indices]
        yield None, [source for source, take in zip(sources, wanted, strict=True) if take]


def _count(
    molecule: Molecule | RowError,
    result: Reconstructed,
    by_size: dict[int, list[Reconstruction]],
    unread: Counter[str],
    undecoded: Counter[str],
) -> None:
    if isinstance(molecule, RowError):
        unread[molecule.kind] += 1
        return
    by_size.setdefault(molecule.mol.GetNumHeavyAtoms(), []).append(result.comparison)
    if result.error is not None:
        undecoded[result.error.kind] += 1


def _without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
