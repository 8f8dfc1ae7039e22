"""Files of molecules to files of results: rows in, the same rows with new columns out."""

from __future__ import annotations

import hashlib
import logging
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import pyarrow as pa

from molae.apps.molecules import CHUNK_SIZE, as_source, chunk_size, time_limit
from molae.apps.molecules import Source as Molecular
from molae.apps.reading import try_sample
from molae.apps.samples import Sample
from molae.apps.workers import Workers, keep_failure
from molae.batch.schema import Schema
from molae.errors import DamagedError, LeftOut, RowError
from molae.io import TABLE_SUFFIXES, Chunk, PartStore, Reader, Shard, open_rows, outcome
from molae.io.shards import SHARD_KEY

logger = logging.getLogger("molae.apps")

#: Told how many further rows are done, and how many there are in all, where that is known.
Progress = Callable[[int, int | None], object]

#: Turns the molecules of a chunk into errors and new columns.
Work = Callable[[list[Sample | RowError]], tuple[list[RowError | None], dict[str, pa.Array]]]


class Noted(Protocol):
    """What was made of a row, with notes for the user."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed in the row or left open."""
        ...


T = TypeVar("T")
R = TypeVar("R", bound=Noted)


def no_progress(count: int, total: int | None) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Source:
    """A file of molecules and how to read it.

    Attributes:
        path: Path, or `-` for standard input.
        smiles_column: Name of the SMILES column, or None to find it.
        id_column: Name of the column of names, or None to find it.
        num_workers: Further processes that read molecules and make conformers.
        seed: Seed of the conformers.
        shard: Which rows are worked on, None for all.
    """

    path: str | Path
    smiles_column: str | None = None
    id_column: str | None = None
    num_workers: int = 0
    seed: int = 0
    shard: Shard | None = None

    def open(self, chunk_size: int = CHUNK_SIZE) -> Reader:
        """Opens the file, to be read `chunk_size` rows at a time, and logs where the molecules come from."""
        reader = open_rows(self.path, self.smiles_column, self.id_column, chunk_size, self.shard)
        column = f"column {reader.smiles_column!r}" if reader.smiles_column else "its 3D structures"
        read = "graphs" if reader.holds_graphs else f"molecules from {column}"
        logger.info("%s: %s", self.path, read)
        return reader


def parse_shard(text: str | None) -> Shard | None:
    """The shard of the text `I/N`, None where there is none.

    Raises:
        ConfigError: If it is none.
    """
    return None if text is None else Shard.parse(text)


@dataclass
class Summary:
    """How many rows went well, and what became of the others.

    Attributes:
        ok: Rows with a result.
        failed: Failed rows by kind.
        notes: Rows by what was changed in them or left open.
        resumed: Rows among them whose results an earlier run had left.
        left_out: Rows that were left out on purpose, by kind.
    """

    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.ok + self.failed.total() + self.left_out.total()

    def count(self, read: Sequence[Noted | RowError], errors: Sequence[RowError | None]) -> None:
        """Adds the rows of a chunk."""
        self.ok += sum(error is None for error in errors)
        for error in errors:
            if error is not None:
                (self.left_out if isinstance(error, LeftOut) else self.failed)[error.kind] += 1
        for each in read:
            if not isinstance(each, RowError):
                self.notes.update({_topic(note) for note in each.notes})

    def add(self, other: Summary) -> None:
        """Adds the counts of other rows."""
        self.ok += other.ok
        self.failed += other.failed
        self.notes += other.notes
        self.resumed += other.resumed
        self.left_out += other.left_out

    def __str__(self) -> str:
        parts = [f"{self.ok} of {self.total} rows ok"]
        for what, counts in (("failed", self.failed), ("left out", self.left_out)):
            if counts:
                kinds = ", ".join(f"{kind} {count}" for kind, count in counts.most_common())
                parts.append(f"{counts.total()} {what} ({kinds})")
        parts += [f"{topic}: {count}" for topic, count in self.notes.most_common()]
        if self.resumed:
            parts.append(f"{self.resumed} rows from the interrupted run")
        return "; ".join(parts)


def process_file(
    source: Source,
    output: str | Path,
    schema: Schema,
    work: Work,
    options: Mapping[str, Any],
    *,
    on_error: Literal["keep", "drop", "fail"] = "keep",
    resume: bool = False,
    suffixes: Sequence[str] = TABLE_SUFFIXES,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Summary:
    """Reads molecules, works on them chunk by chunk, and writes the input's columns with new ones.

    Args:
        source: The input.
        output: Path of the output, which appears complete or not at all.
        schema: What the graphs of the model carry.
        work: What to do with the molecules of a chunk.
        options: What else the result depends on, as plain JSON values, so as not to resume with another.
        on_error: Whether to `keep` failed rows, with the reason, to `drop` them, or to `fail` at the first.
        resume: Whether to go on with what an interrupted run left.
        suffixes: Formats that can hold the output.
        metadata: What a Parquet file should tell of itself, beside its columns.
        progress: Told after every few rows.
    Returns:
        The counts.
    Raises:
        DataError: If the input cannot be read, or the output not be written.
        RowError: With `on_error="fail"`, naming file, row and reason.
    """
    return process_rows(
        source,
        output,
        chunk_sources,
        partial(try_sample, schema=schema, seed=source.seed),
        lambda chunk, read: work(read),
        options,
        on_error=on_error,
        resume=resume,
        suffixes=suffixes,
        metadata=metadata,
        chunk_size=chunk_size(schema),
        together=True,
        limit=time_limit(schema),
        progress=progress,
    )


def process_rows(
    source: Source,
    output: str | Path,
    items: Callable[[Chunk], list[T]],
    function: Callable[[T], R | RowError],
    work: Callable[[Chunk, list[R | RowError]], tuple[list[RowError | None], dict[str, pa.Array]]],
    options: Mapping[str, Any],
    *,
    on_error: Literal["keep", "drop", "fail"] = "keep",
    resume: bool = False,
    suffixes: Sequence[str] = TABLE_SUFFIXES,
    metadata: Mapping[str, str] | None = None,
    chunk_size: int = CHUNK_SIZE,
    keep_columns: bool = True,
    together: bool = False,
    limit: float | None = None,
    progress: Progress = no_progress,
) -> Summary:
    """Works on the rows of a file in several processes, and writes the input's columns with new ones.

    Rows whose error is a `LeftOut` have no place in the output, and never end a run.

    Args:
        source: The input.
        output: Path of the output, which appears complete or not at all.
        items: What the processes get of a chunk, an item for each row.
        function: What they make of an item (see `molae.apps.workers.Workers`).
        work: Makes errors and new columns of that, in this process.
        options: As for `process_file`.
        on_error: Likewise.
        resume: Likewise.
        suffixes: Likewise.
        metadata: Likewise.
        chunk_size: Rows of a chunk.
        keep_columns: Whether the output has the input's columns too, and not the new ones alone.
        together: Whether `work` looks at the rows of a chunk together, so that a shard needs its first and
            last chunk whole to come to the same result, in the last digit too.
        limit: Seconds that a row may take, where there are further processes; one that takes longer fails.
        progress: Told after every few rows.
    Returns:
        The counts.
    Raises:
        DataError: As `process_file`.
        RowError: Likewise.
    """
    summary = Summary()
    # `keep` and `fail` write the same rows, so one can go on where the other stopped.
    settings = {**options, "seed": source.seed, "smiles_column": source.smiles_column}
    settings |= {"id_column": source.id_column, "chunk_size": chunk_size}
    settings["dropped"] = on_error == "drop"
    metadata = dict(metadata or {})
    if source.shard is not None:
        settings["shard"] = metadata[SHARD_KEY] = str(source.shard)
    with (
        source.open(chunk_size) as reader,
        Workers(function, source.num_workers, limit, keep_failure) as workers,
        PartStore(output, source.path, settings, resume, suffixes, metadata) as store,
    ):
        left = _left_to_do(reader, store, summary, items, progress, on_error == "fail", together)
        for (index, chunk, content), read in workers.map_chunks(
            _resumable(left, store), lambda count: progress(count, reader.total)
        ):
            errors, added = work(chunk, read)
            part = reader.wanted(chunk.rows)
            chunk, read, errors = chunk.cut(part), read[part], errors[part]
            added = {name: values[part] for name, values in added.items()}
            if on_error == "fail":
                _require_none(source, chunk, errors, store)
            counts = Summary()
            counts.count(read, errors)
            summary.add(counts)
            _log_notes(chunk, read)
            kept = pa.array([_has_place(error, on_error == "drop") for error in errors])
            columns = chunk.columns if keep_columns else chunk.columns.select([])
            added = {name: values.filter(kept) for name, values in (outcome(errors) | added).items()}
            store.write(index, columns.filter(kept), added, vars(counts), content)
        store.finish(reader.chunks_read)
    return summary


def chunk_sources(chunk: Chunk) -> list[Molecular]:
    """The molecules of a chunk, as workers take them."""
    return [as_source(row) for row in chunk.rows]


def _left_to_do(
    reader: Reader,
    store: PartStore,
    summary: Summary,
    items: Callable[[Chunk], list[T]],
    progress: Progress,
    strict: bool,
    together: bool,
) -> Iterator[tuple[tuple[int, Chunk, str], list[T]]]:
    """The chunks that are not done yet, with checksums of their rows; the others get counted.

    If `strict`, those with failed rows are not done. Rows that are not wanted are left out at once, unless
    `together`.
    """
    for index, chunk in enumerate(reader):
        part = reader.wanted(chunk.rows)
        if not together:
            chunk = chunk.cut(part)
        content = _checksum(chunk)
        remarks = store.remarks(index) if store.done(index, content) else None
        if remarks is None or (strict and remarks["failed"]):
            yield (index, chunk, content), items(chunk)
            continue
        failed, notes, left_out = (Counter(remarks[name]) for name in ("failed", "notes", "left_out"))
        summary.add(Summary(remarks["ok"], failed, notes, part.stop - part.start, left_out))
        progress(part.stop - part.start, reader.total)


def _resumable(left: Iterator[T], store: PartStore) -> Iterator[T]:
    """The same; where the input is damaged, the user hears what becomes of the rows before."""
    try:
        yield from left
    except DamagedError as error:
        if store.resumable is None:
            raise
        raise DamagedError(
            f"{error}; the rows finished before stay in {store.resumable}: repair the input, then --resume"
            " goes on"
        ) from error


def _checksum(chunk: Chunk) -> str:
    """Tells the rows of a chunk from others."""
    total = hashlib.sha256(pickle.dumps(chunk_sources(chunk)))
    for batch in chunk.columns.combine_chunks().to_batches():
        total.update(batch.serialize())
    return total.hexdigest()


def _require_none(source: Source, chunk: Chunk, errors: Sequence[RowError | None], store: PartStore) -> None:
    """Raises the first error, and says where the rows finished before stay, if there are any."""
    for row, error in zip(chunk.rows, errors, strict=True):
        if error is not None and not isinstance(error, LeftOut):
            stay = f"; the rows finished before stay in {store.resumable}: --on-error keep --resume goes on"
            hint = stay if store.resumable else ""
            raise RowError(f"{source.path}, row {row.number}: {error.reason}{hint}", error.kind) from error


def _has_place(error: RowError | None, dropped: bool) -> bool:
    return error is None or not (dropped or isinstance(error, LeftOut))


def _log_notes(chunk: Chunk, read: Sequence[Noted | RowError]) -> None:
    for row, each in zip(chunk.rows, read, strict=True):
        for note in [each.reason] if isinstance(each, RowError) else each.notes:
            logger.debug("row %d: %s", row.number, note)


def _topic(note: str) -> str:
    """What a note is about, without what differs from row to row."""
    return re.sub(r" in \d+ places?$", "", note.split(":")[0])
