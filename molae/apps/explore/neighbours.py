"""Nearest neighbours of molecules among codes, from file to file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from molae.apps.chunks import chunk_sources
from molae.apps.embed import BATCH_SIZE, embed_read
from molae.apps.explore.codes import Codes, holds_codes, read_codes
from molae.apps.explore.search import Metric, Search, nearest
from molae.apps.loading import open_model
from molae.apps.reading import sample_workers
from molae.apps.rows import Progress, Source, Summary, no_progress
from molae.errors import ConfigError, DataError, RowError
from molae.io import TABLE_SUFFIXES, outcome
from molae.io.columns import unique_names
from molae.io.writers import check_folder, output_suffix, write_table


@dataclass
class _Queries:
    """What neighbours are wanted of.

    Attributes:
        columns: Number, name and SMILES of each query.
        vectors: Its code, NaN where there is none.
        errors: Why there is none, else None.
        summary: The counts.
    """

    columns: pa.Table
    vectors: Float[np.ndarray, "q d"]
    errors: list[RowError | None]
    summary: Summary


def neighbours_file(
    query: Source,
    codes: str | Path,
    output: str | Path,
    k: int = 5,
    *,
    metric: Metric = "cosine",
    search: Search = "auto",
    model: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    on_error: Literal["keep", "drop", "fail"] = "keep",
    progress: Progress = no_progress,
) -> Summary:
    """Writes the nearest neighbours of each query, a row for each of them, nearest first.

    Of codes with a summary (see `molae.nn.summary`), the summaries are compared, else the whole codes.

    The columns are `query_row`, `query_id` and `query_smiles` where there are such, `status`, `error`, `rank`
    from 1, `distance`, `neighbour_row`, and those of the codes with `neighbour_` before their names.

    Args:
        query: Molecules, which are embedded as the codes were, by the same model and from conformers of the
            same seed; or a file of codes. Where it is the file of the codes itself, no row is its own
            neighbour.
        codes: File of codes to look among, see `molae.apps.explore.codes.read_codes`.
        output: Table to write.
        k: Neighbours of each query.
        metric: `cosine` or `euclidean`.
        search: `exact`, `index` or `auto`, see `molae.apps.explore.search.nearest`.
        model: The model of the codes, if their file does not tell (only Parquet files do), or it was moved.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        on_error: Whether to `keep` queries without a code, with the reason, to `drop` them, or to `fail`.
        progress: Told after every few queries.
    Returns:
        The counts of the queries.
    Raises:
        DataError: If a file cannot be used.
        ConfigError: If the model of the codes is not known, or an option does not fit.
        CheckpointError: If the model is missing or another.
        RowError: With `on_error="fail"`, naming file, row and reason.
    """
    suffix = output_suffix(Path(output), TABLE_SUFFIXES)
    check_folder(Path(output))
    found = read_codes(codes)
    found = found.take(np.flatnonzero(found.valid)).of_model(model, query.seed)
    own = Path(query.path).is_file() and Path(query.path).samefile(codes)
    if holds_codes(query.path):
        queries = _read_queries(query, found)
    else:
        queries = _embed_queries(query, found, model, batch_size, device, progress)
    _require_none(query, queries.errors if on_error == "fail" else [])
    usable = np.array([error is None for error in queries.errors])
    wanted, compared = queries.vectors[usable], found.vectors
    if wanted.shape[1] == compared.shape[1]:
        compared = found.compared
        wanted = wanted[:, : compared.shape[1]]
    distances, places = nearest(wanted, compared, k + own, metric, search)
    if own:
        distances, places = _without_self(distances, places)
    table = _joined(queries, usable, distances, places, found, on_error == "drop")
    write_table(Path(output), suffix, table.schema, lambda: [table])
    return queries.summary


def _read_queries(query: Source, codes: Codes) -> _Queries:
    """Queries whose codes are in a file."""
    held = read_codes(query.path, query.smiles_column, query.id_column)
    if held.origin and codes.origin and held.origin.weights_sha256 != codes.origin.weights_sha256:
        raise DataError(
            f"the codes of {held.source} came from {held.origin.model!r}, those of {codes.source} from"
            f" {codes.origin.model!r}: embed both with one model"
        )
    errors = [None if valid else RowError("the file has no code for it", "no_code") for valid in held.valid]
    summary = Summary()
    summary.count([], errors)
    ids = held.texts(held.id_column) if held.id_column else None
    smiles = held.texts(held.smiles_column) if held.smiles_column else None
    return _Queries(_described(len(errors), ids, smiles), held.vectors, errors, summary)


def _embed_queries(
    query: Source, codes: Codes, model: str | Path | None, batch_size: int, device: str, progress: Progress
) -> _Queries:
    """Queries embedded as the codes were."""
    name, seed = _model_of(codes, model)
    opened = open_model(name, device, kind="any")
    vectors, errors = [np.empty((0, opened.config.code_size), np.float32)], []
    ids: list[str | None] = []
    smiles: list[str | None] = []
    summary = Summary()
    with query.open() as reader, sample_workers(opened.schema, seed, query.num_workers) as workers:
        chunks = ((chunk, chunk_sources(chunk)) for chunk in reader)
        for chunk, read in workers.map_chunks(chunks, lambda count: progress(count, reader.total)):
            found, wrong = embed_read(opened, read, batch_size)
            summary.count(read, wrong)
            vectors.append(found)
            errors += wrong
            ids += [row.id for row in chunk.rows]
            smiles += [row.smiles for row in chunk.rows]
    columns = _described(
        len(errors), ids if any(ids) else None, smiles if reader.smiles_column or any(smiles) else None
    )
    return _Queries(columns, np.concatenate(vectors), errors, summary)


def _model_of(codes: Codes, model: str | Path | None) -> tuple[str, int]:
    """The model to embed queries with, and the seed of their conformers."""
    if codes.origin is None:
        raise ConfigError(
            f"{codes.source} does not tell which model its codes came from (Parquet files do): name it with"
            " --model"
        )
    origin = codes.origin.found(model, f"{codes.source} holds", "embed them again")
    return origin.model, origin.seed


def _described(count: int, ids: Sequence[str | None] | None, smiles: Sequence[str | None] | None) -> pa.Table:
    columns = {"query_row": pa.array(np.arange(1, count + 1))}
    if ids is not None:
        columns["query_id"] = pa.array(ids, pa.string())
    if smiles is not None:
        columns["query_smiles"] = pa.array(smiles, pa.string())
    return pa.table(columns)


def _require_none(query: Source, errors: Sequence[RowError | None]) -> None:
    for number, error in enumerate(errors, 1):
        if error is not None:
            raise RowError(f"{query.path}, row {number}: {error.reason}", error.kind) from error


def _without_self(
    distances: Float[np.ndarray, "n k"], places: Float[np.ndarray, "n k"]
) -> tuple[Float[np.ndarray, "n k-1"], Float[np.ndarray, "n k-1"]]:
    """Leaves out of each row its own place, or its last one where others are just as near."""
    own = places == np.arange(len(places))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(places), places.shape[1] - 1)
    return distances[~own].reshape(shape), places[~own].reshape(shape)


def _joined(
    queries: _Queries,
    usable: np.ndarray,
    distances: np.ndarray,
    places: np.ndarray,
    codes: Codes,
    drop: bool,
) -> pa.Table:
    """A row for each neighbour, and one for each query without any."""
    found = distances.shape[1]
    # A query without neighbours keeps its place, too.
    counts = np.where(usable, max(found, 1), 0 if drop else 1)
    at = np.repeat(np.arange(len(usable)), counts)
    has = usable[at] if found else np.zeros(len(at), dtype=bool)

    def spread(values: np.ndarray) -> pa.Array:
        held = np.zeros(len(at), dtype=values.dtype)
        held[has] = values.ravel()
        return pa.array(held, mask=~has)

    table = queries.columns.take(pa.array(at))
    for name, column in outcome([queries.errors[place] for place in at]).items():
        table = table.append_column(name, column)
    neighbours = spread(places)
    table = table.append_column("rank", spread(np.tile(np.arange(1, found + 1), (len(places), 1))))
    table = table.append_column("distance", spread(distances))
    table = table.append_column("neighbour_row", pa.array(codes.rows).take(neighbours))
    for name in codes.columns.column_names:
        table = table.append_column(f"neighbour_{name}", codes.columns[name].take(neighbours))
    return table.rename_columns(unique_names(table.column_names))
