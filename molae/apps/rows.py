"""Files of molecules to files of results: rows in, the same rows with new columns out."""

from __future__ import annotations

import logging
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import pyarrow as pa

from molae.apps.chunks import (
    Noted,
    Piece,
    Result,
    Skipped,
    Steps,
    Work,
    chunk_sources,
    conclude,
    pieces,
)
from molae.apps.molecules import CHUNK_SIZE, chunk_size, time_limit
from molae.apps.reading import Read, try_sample
from molae.apps.workers import Workers, keep_failure
from molae.batch.schema import Schema
from molae.errors import ConfigError, DamagedError, LeftOut, RowError
from molae.io import TABLE_SUFFIXES, PartStore, Reader, Shard, open_rows
from molae.io.shards import SHARD_KEY

logger = logging.getLogger("molae.apps")

T = TypeVar("T")
R = TypeVar("R", bound=Noted)

#: Told how many further rows are done, and how many there are in all, where that is known.
Progress = Callable[[int, int | None], object]

#: Turns the molecules of a chunk into errors and new columns.
SampleWork = Callable[[list[R | RowError]], tuple[list[RowError | None], dict[str, pa.Array]]]


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
        engine: Whether this machine works on it, `local`, or a cluster through Ray Data, `ray`.
    """

    path: str | Path
    smiles_column: str | None = None
    id_column: str | None = None
    num_workers: int = 0
    seed: int = 0
    shard: Shard | None = None
    engine: Literal["local", "ray"] = "local"

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
    open_work: Callable[[], SampleWork[Any]],
    options: Mapping[str, Any],
    read: Read = try_sample,
    *,
    device: str,
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
        open_work: Readies, where it is to be done, what to do with the molecules of a chunk.
        options: What else the result depends on, as plain JSON values, so as not to resume with another.
        read: How a row is read.
        device: Where models run, `auto`, `cpu` or `cuda`: an actor of a cluster gets a GPU where there are.
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
    steps = Steps(
        chunk_sources,
        partial(read, schema=schema, seed=source.seed),
        partial(_on_chunks, open_work),
        chunk_size(schema),
        together=True,
        limit=time_limit(schema),
    )
    return process_rows(
        source,
        output,
        steps,
        options,
        device=device,
        on_error=on_error,
        resume=resume,
        suffixes=suffixes,
        metadata=metadata,
        progress=progress,
    )


def process_rows(
    source: Source,
    output: str | Path,
    steps: Steps[T, R],
    options: Mapping[str, Any],
    *,
    device: str = "cpu",
    on_error: Literal["keep", "drop", "fail"] = "keep",
    resume: bool = False,
    suffixes: Sequence[str] = TABLE_SUFFIXES,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Summary:
    """Works on the rows of a file in several processes, and writes the input's columns with new ones.

    Rows whose error is a `LeftOut` have no place in the output, and never end a run.

    Args:
        source: The input.
        output: Path of the output, which appears complete or not at all.
        steps: What is done with the rows.
        options: As for `process_file`.
        device: Likewise.
        on_error: Likewise.
        resume: Likewise.
        suffixes: Likewise.
        metadata: Likewise.
        progress: Told after every few rows.
    Returns:
        The counts.
    Raises:
        DataError: As `process_file`.
        RowError: Likewise.
    """
    # `keep` and `fail` write the same rows, so one can go on where the other stopped.
    settings = {"seed": source.seed, **options, "smiles_column": source.smiles_column}
    settings |= {"id_column": source.id_column, "chunk_size": steps.chunk_size}
    settings["dropped"] = on_error == "drop"
    metadata = dict(metadata or {})
    if source.shard is not None:
        settings["shard"] = metadata[SHARD_KEY] = str(source.shard)
    summary, chunks = Summary(), 0
    with (
        source.open(steps.chunk_size) as reader,
        _engine(source, steps, device) as engine,
        PartStore(output, source.path, settings, resume, suffixes, metadata) as store,
    ):
        finished = _finished(store, strict=on_error == "fail")
        for result in _resumable(engine.results(reader, finished, on_error == "drop", progress), store):
            chunks += 1
            if isinstance(result, Skipped):
                summary.add(_recalled(store.remarks(result.index), result.rows))
                progress(result.rows, reader.total)
                continue
            if on_error == "fail":
                _require_none(source, result, store)
            counts = Summary()
            counts.count(result.read, result.errors)
            summary.add(counts)
            _log_notes(result)
            store.write(result.index, result.columns, result.added, vars(counts), result.content)
        store.finish(chunks)
    return summary


class Engine(Protocol):
    """Where the work on the chunks of an input is done; a context manager."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: Any) -> None: ...

    def results(
        self, reader: Reader, finished: Mapping[int, str], dropped: bool, progress: Progress
    ) -> Iterator[Result | Skipped]:
        """Works on the chunks.

        Args:
            reader: The input.
            finished: Checksums, by the number of the chunk, of those that are finished.
            dropped: Whether failed rows have no place in the output.
            progress: Told how many further rows are done.
        Yields:
            What became of them, each chunk once.
        """
        ...


class LocalEngine:
    """Works in this process, and the workers that it starts.

    Args:
        source: The input.
        steps: What is done with its rows.
    """

    def __init__(self, source: Source, steps: Steps[T, R]) -> None:
        self._steps = steps
        self._workers = Workers(steps.function, source.num_workers, steps.limit, keep_failure)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._workers.__exit__(*exception)

    def results(
        self, reader: Reader, finished: Mapping[int, str], dropped: bool, progress: Progress
    ) -> Iterator[Result | Skipped]:
        """As `Engine.results`: what is finished comes first, the others in order."""
        steps = self._steps
        work = steps.open_work()
        skipped: deque[Skipped] = deque()

        def left() -> Iterator[tuple[Piece[Any], list[Any]]]:
            for piece in pieces(reader, steps.items, steps.together, finished):
                if isinstance(piece, Skipped):
                    skipped.append(piece)
                else:
                    yield piece, piece.items

        for piece, read in self._workers.map_chunks(left(), lambda count: progress(count, reader.total)):
            while skipped:
                yield skipped.popleft()
            yield conclude(piece, read, work, steps, dropped)
        yield from skipped


def _engine(source: Source, steps: Steps[T, R], device: str) -> Engine:
    if source.engine == "local":
        return LocalEngine(source, steps)
    try:
        from molae.apps.cluster import RayEngine
    except ImportError as error:
        raise ConfigError('the engine ray needs Ray: pip install "molae[ray]"') from error
    return RayEngine(source, steps, device)


def _on_chunks(open_work: Callable[[], SampleWork[R]]) -> Work[R]:
    work = open_work()
    return lambda chunk, read: work(read)


def _finished(store: PartStore, strict: bool) -> dict[int, str]:
    """The chunks that need not be worked on; if `strict`, those with failed rows do."""
    finished = store.finished()
    return {i: content for i, content in finished.items() if not (strict and store.remarks(i)["failed"])}


def _recalled(remarks: Mapping[str, Any], rows: int) -> Summary:
    """The counts of a chunk that is finished."""
    failed, notes, left_out = (Counter(remarks[name]) for name in ("failed", "notes", "left_out"))
    return Summary(remarks["ok"], failed, notes, rows, left_out)


def _resumable(results: Iterator[T], store: PartStore) -> Iterator[T]:
    """The same; where the input is damaged, the user hears what becomes of the rows before."""
    try:
        yield from results
    except DamagedError as error:
        if store.resumable is None:
            raise
        raise DamagedError(
            f"{error}; the rows finished before stay in {store.resumable}: repair the input, then --resume"
            " goes on"
        ) from error


def _require_none(source: Source, result: Result, store: PartStore) -> None:
    """Raises the first error, and says where the rows finished before stay, if there are any."""
    for number, error in zip(result.numbers, result.errors, strict=True):
        if error is not None and not isinstance(error, LeftOut):
            stay = f"; the rows finished before stay in {store.resumable}: --on-error keep --resume goes on"
            hint = stay if store.resumable else ""
            raise RowError(f"{source.path}, row {number}: {error.reason}{hint}", error.kind) from error


def _log_notes(result: Result) -> None:
    for number, each in zip(result.numbers, result.read, strict=True):
        for note in [each.reason] if isinstance(each, RowError) else each.notes:
            logger.debug("row %d: %s", number, note)


def _topic(note: str) -> str:
    """What a note is about, without what differs from row to row."""
    return re.sub(r" in \d+ places?$", "", note.split(":")[0])
