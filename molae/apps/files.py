"""The verbs that turn a file of molecules into a table: embed and reconstruct."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa

from molae.apps.embed import BATCH_SIZE, Precision, embed_read, require_precision
from molae.apps.loading import open_model
from molae.apps.molecules import Molecule
from molae.apps.origin import CodesOrigin
from molae.apps.reading import try_embeddable
from molae.apps.reconstruct import reconstruct_read
from molae.apps.rows import Progress, SampleWork, Source, Summary, no_progress, process_file
from molae.apps.samples import Embeddable, Sample
from molae.autoencoder import Autoencoder
from molae.catalogue import weights_of
from molae.errors import RowError
from molae.io import ARRAY_SUFFIXES, TABLE_SUFFIXES, matrix_column

OnError = Literal["keep", "drop", "fail"]


def embed_file(
    source: Source,
    output: str | Path,
    model: str | Path = "molecule",
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    precision: Precision = "float32",
    on_error: OnError = "keep",
    resume: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """Writes the input's columns with `status`, `error` and `embedding`.

    A Parquet file also tells which model the vectors came from (see `molae.apps.origin`).

    Args:
        source: The input.
        output: Path of the output: a table, or an array of the vectors (`.npy`, `.npz`).
        model: Name of a shipped model, or path of a model directory.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        precision: Numbers that the model calculates with (see `molae.embed`).
        on_error: Whether to `keep` failed rows, without a vector, to `drop` them, or to `fail` at the first.
        resume: Whether to go on with what an interrupted run left.
        progress: Told after every few rows.
    Returns:
        The counts.
    Raises:
        MolaeError: If the model, the input or the output cannot be used; with `on_error="fail"`, a RowError
            that names file, row and reason.
    """
    require_precision(precision)
    opened = open_model(model, "cpu", kind="any")
    return process_file(
        source,
        output,
        opened.schema,
        partial(_open_embedding, opened, device, batch_size, precision),
        _identity("embed", model) | {"precision": precision},
        partial(try_embeddable, ranked=opened.encoder.reads_ranks),
        device=device,
        on_error=on_error,
        resume=resume,
        suffixes=(*TABLE_SUFFIXES, *ARRAY_SUFFIXES),
        metadata=CodesOrigin.of(model, source.seed).metadata(),
        progress=progress,
    )


def _open_embedding(
    model: Autoencoder, device: str, batch_size: int, precision: Precision
) -> SampleWork[Embeddable]:
    opened = open_model(model, device, kind="any")

    def work(read: list[Embeddable | RowError]) -> tuple[list[RowError | None], dict[str, pa.Array]]:
        vectors, errors = embed_read(opened, read, batch_size, precision)
        valid = np.array([error is None for error in errors])
        return errors, {"embedding": matrix_column(vectors, valid)}

    return work


def reconstruct_file(
    source: Source,
    output: str | Path,
    model: str | Path = "molecule",
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    on_error: OnError = "keep",
    resume: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """Writes the input's columns with `status`, `error`, `reconstructed_smiles`, `exact` and `rmsd`.

    `exact` is false where decoding failed, and null where there was nothing to encode; `rmsd`, in Å, is null
    unless the decoded graph is that of the input (see `molae.apps.reconstruct.Reconstructed`).

    Args:
        source: The input.
        output: Path of the output.
        model: Name of a shipped model, or path of a model directory.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        on_error: Whether to `keep` failed rows, to `drop` them, or to `fail` at the first.
        resume: Whether to go on with what an interrupted run left.
        progress: Told after every few rows.
    Returns:
        The counts.
    Raises:
        MolaeError: As `embed_file`.
    """
    opened = open_model(model, "cpu")
    return process_file(
        source,
        output,
        opened.schema,
        partial(_open_reconstruction, opened, device, batch_size),
        _identity("reconstruct", model),
        device=device,
        on_error=on_error,
        resume=resume,
        progress=progress,
    )


def _open_reconstruction(model: Autoencoder, device: str, batch_size: int) -> SampleWork[Sample]:
    opened = open_model(model, device)

    def work(read: list[Sample | RowError]) -> tuple[list[RowError | None], dict[str, pa.Array]]:
        # A model of molecules reads nothing else.
        found = reconstruct_read(opened, cast("list[Molecule | RowError]", read), batch_size)
        exact = [
            None if isinstance(each, RowError) else result.exact
            for each, result in zip(read, found, strict=True)
        ]
        return [result.error for result in found], {
            "reconstructed_smiles": pa.array([result.smiles for result in found], pa.string()),
            "exact": pa.array(exact, pa.bool_()),
            "rmsd": _floats([result.rmsd for result in found]),
        }

    return work


def _identity(verb: str, model: str | Path) -> dict[str, Any]:
    """What the result depends on; not batch size and device, which change it by rounding alone."""
    return {"verb": verb, "weights": weights_of(model)}


def _floats(values: Sequence[float]) -> pa.Array:
    return pa.array([None if math.isnan(value) else value for value in values], pa.float64())
