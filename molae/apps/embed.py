"""Molecules, or other graphs, to invariant vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np
import torch
from jaxtyping import Float
from rdkit import Chem

from molae.apps.loading import Model, open_model
from molae.apps.molecules import as_sources, in_chunks
from molae.apps.reading import sample_workers, try_embeddable
from molae.apps.samples import Embeddable, LineSample, Sample
from molae.autoencoder import Autoencoder
from molae.batch.collate import collate, collate_lines
from molae.batch.dense import DenseBatch
from molae.errors import ConfigError, RowError
from molae.types import Graph

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data

BATCH_SIZE = 128

Precision = Literal["float32", "bfloat16"]
"""Numbers that the model calculates with: bfloat16 where that does little harm, which is faster on a CPU that
has it; the vectors are float32 in any case."""

S = TypeVar("S", bound=Embeddable)


def embed(
    molecules: Iterable[str | Chem.Mol | nx.Graph | Data | None],
    model: Model = "molecule",
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    precision: Precision = "float32",
    num_workers: int = 0,
    seed: int = 0,
    on_error: Literal["keep", "drop", "fail"] = "keep",
) -> Float[np.ndarray, "n d"]:
    """Turns molecules, or graphs, into vectors that do not depend on how they are rotated, moved, numbered or
    written.

    Args:
        molecules: SMILES, or RDKit molecules; those with a 3D conformer keep it, the others get one by
            ETKDGv3. A model without coordinates takes the stereo of a conformer, and makes none. A model of
            graphs that are no molecules takes graphs of networkx or PyTorch Geometric.
        model: Name of a shipped model, path of a model directory, or a loaded model.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        precision: Numbers that the model calculates with; in `bfloat16` vectors are rounded on the way.
        num_workers: Further processes that read molecules and make conformers.
        seed: Seed of the conformers.
        on_error: What to do about molecules that cannot be embedded: `keep` their rows, as NaN; `drop` them;
            or `fail`.
    Returns:
        A float32 vector for each molecule, in input order.
    Raises:
        RowError: With `on_error="fail"`, why the first such molecule cannot be embedded.
        CheckpointError: If there is no such model, or it is damaged.
        ConfigError: If an option does not fit.
    """
    if on_error not in ("keep", "drop", "fail"):
        raise ConfigError(f"on_error: expected keep, drop or fail, got {on_error!r}")
    sources = as_sources(molecules)
    require_precision(precision)
    opened = open_model(model, device, kind="any")
    vectors = np.full((len(sources), opened.config.code_size), np.nan, dtype=np.float32)
    reading = partial(try_embeddable, ranked=opened.encoder.reads_ranks)
    with sample_workers(opened.schema, seed, num_workers, reading) as workers:
        for start, read in workers.map_chunks(in_chunks(sources, opened.schema)):
            found, errors = embed_read(opened, read, batch_size, precision)
            vectors[start : start + len(read)] = found
            if on_error == "fail":
                _require_none(errors, start)
    return vectors[~np.isnan(vectors).any(axis=1)] if on_error == "drop" else vectors


def require_precision(precision: str) -> None:
    """Raises ConfigError for numbers that no model calculates with."""
    if precision not in get_args(Precision):
        raise ConfigError(f"precision: expected {' or '.join(get_args(Precision))}, got {precision!r}")


def _require_none(errors: Sequence[RowError | None], start: int) -> None:
    """Raises the first error, naming the place of its molecule, counted from 0."""
    for place, error in enumerate(errors, start):
        if error is not None:
            raise RowError(f"molecule {place}: {error.reason}", error.kind) from error


def embed_read(
    model: Autoencoder,
    read: Sequence[Embeddable | RowError],
    batch_size: int = BATCH_SIZE,
    precision: Precision = "float32",
) -> tuple[Float[np.ndarray, "n d"], list[RowError | None]]:
    """Encodes molecules that were read.

    Args:
        model: Model in evaluation mode.
        read: Molecules, or reasons why there are none.
        batch_size: Molecules in a batch.
        precision: Numbers that the model calculates with.
    Returns:
        A float32 vector for each, NaN where there is none; and why there is none, else None.
    """
    vectors = np.full((len(read), model.config.code_size), np.nan, dtype=np.float32)
    errors: list[RowError | None] = [each if isinstance(each, RowError) else None for each in read]
    device = next(model.parameters()).device.type
    reduced = precision == "bfloat16"
    cut = list(batches(read, batch_size))
    found = to_batches(model, [each for _, molecules in cut for each in molecules], batch_size)
    for (places, _), batch in zip(cut, found, strict=True):
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=reduced):
            code = model.encode(batch).invariant
        vectors[places] = code.float().cpu().numpy()
    for place in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
        if errors[place] is None:
            vectors[place] = np.nan
            errors[place] = RowError("the model gives no finite vector for it", "not_finite")
    return vectors, errors


def batches(read: Sequence[S | RowError], batch_size: int) -> Iterator[tuple[list[int], list[S]]]:
    """Sorts the molecules that were read into batches of similar size.

    Args:
        read: Molecules, or reasons why there are none.
        batch_size: Molecules in a batch.
    Yields:
        Places in `read` of the molecules of a batch, and these molecules.
    Raises:
        ConfigError: If the batch size is not positive.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size: expected at least 1, got {batch_size}")
    molecules = {place: each for place, each in enumerate(read) if not isinstance(each, RowError)}
    by_size = sorted(molecules, key=lambda place: len(molecules[place]))
    for start in range(0, len(by_size), batch_size):
        places = by_size[start : start + batch_size]
        yield places, [molecules[place] for place in places]


def to_batch(model: Autoencoder, molecules: Sequence[Embeddable]) -> DenseBatch:
    """Batches molecules (see `to_batches`), at least one."""
    return next(to_batches(model, molecules, len(molecules)))


def to_batches(model: Autoencoder, molecules: Sequence[Embeddable], batch_size: int) -> Iterator[DenseBatch]:
    """Batches molecules in their order, each around the origin, for a model on its device.

    Args:
        model: The model.
        molecules: The molecules.
        batch_size: Molecules in a batch.
    Yields:
        The batches.
    Raises:
        ValueError: If some of the molecules, but not all, are lines.
    """
    weights, ranked = next(model.parameters()), model.encoder.reads_ranks
    lines = [each.line for each in molecules if isinstance(each, LineSample)]
    samples = [each for each in molecules if isinstance(each, Sample)]
    if lines and samples:
        raise ValueError(f"{len(lines)} of {len(molecules)} molecules are lines: batch those by themselves")
    if lines:
        for batch in collate_lines(lines, batch_size):
            yield batch.to(weights.device)
    for start in range(0, len(samples), batch_size):
        part = samples[start : start + batch_size]
        graphs = [_centred(each.ranked() if ranked else each.graph) for each in part]
        yield collate(graphs, weights.dtype).to(weights.device)


def _centred(graph: Graph) -> Graph:
    # Far from the origin, float32 positions would lose digits.
    return graph if graph.pos is None else replace(graph, pos=graph.pos - graph.pos.mean(axis=0))
