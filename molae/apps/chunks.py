"""What is done with the chunks of an input: by this process, or by any other that the pieces are sent to."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from molae.apps.molecules import Source as Molecular
from molae.apps.molecules import as_source
from molae.errors import LeftOut, RowError
from molae.io import Chunk, Reader, outcome


class Noted(Protocol):
    """What was made of a row, with notes for the user."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed in the row or left open."""
        ...


@dataclass(frozen=True)
class Notes:
    """The notes on a row, without what was made of it."""

    notes: tuple[str, ...]


T = TypeVar("T")
R = TypeVar("R", bound=Noted)

#: Makes errors and new columns of a chunk and of what was made of its rows.
Work = Callable[[Chunk, list[R | RowError]], tuple[list[RowError | None], dict[str, pa.Array]]]


@dataclass(frozen=True)
class Steps(Generic[T, R]):
    """What is done with the rows of an input; it can be sent to other machines.

    Attributes:
        items: Makes what the processes get of a chunk, an item for each row.
        function: What they make of an item (see `molae.apps.workers.Workers`).
        open_work: Readies, where it is to be done, what makes errors and new columns of that.
        chunk_size: Rows of a chunk.
        keep_columns: Whether the output has the input's columns too, and not the new ones alone.
        together: Whether the work looks at the rows of a chunk together, so that a shard needs its first and
            last chunk whole to come to the same result, in the last digit too.
        limit: Seconds that a row may take, where there are further processes; one that takes longer fails.
    """

    items: Callable[[Chunk], list[T]]
    function: Callable[[T], R | RowError]
    open_work: Callable[[], Work[R]]
    chunk_size: int
    keep_columns: bool = True
    together: bool = False
    limit: float | None = None


@dataclass(frozen=True)
class Piece(Generic[T]):
    """A chunk that is to be worked on.

    Attributes:
        index: Its number, from 0.
        chunk: The chunk.
        part: Which of its rows are wanted.
        content: Checksum of its rows.
        items: What the processes get of it.
    """

    index: int
    chunk: Chunk
    part: slice
    content: str
    items: list[T]


@dataclass(frozen=True)
class Skipped:
    """A chunk that was worked on before.

    Attributes:
        index: Its number, from 0.
        rows: Number of its rows that are wanted.
    """

    index: int
    rows: int


@dataclass(frozen=True)
class Result:
    """What was made of the wanted rows of a chunk.

    Attributes:
        index: Its number, from 0.
        content: Checksum of its rows.
        numbers: Numbers of the rows.
        read: Notes on the rows, or why they could not be read.
        errors: Why rows failed or were left out, else None.
        columns: The input's columns that are kept, of the rows that have a place in the output.
        added: The new columns of these.
    """

    index: int
    content: str
    numbers: list[int]
    read: list[Notes | RowError]
    errors: list[RowError | None]
    columns: pa.Table
    added: dict[str, pa.Array]


def pieces(
    reader: Reader, items: Callable[[Chunk], list[T]], together: bool, finished: Mapping[int, str]
) -> Iterator[Piece[T] | Skipped]:
    """Reads the chunks of an input. Rows that are not wanted are left out at once, unless taken together.

    Args:
        reader: The input.
        items: As in `Steps`.
        together: Likewise.
        finished: Checksums, by the number of the chunk, of those that are finished.
    """
    for index, chunk in enumerate(reader):
        part = reader.wanted(chunk.rows)
        if not together:
            chunk, part = chunk.cut(part), slice(0, part.stop - part.start)
        content = _checksum(chunk)
        if finished.get(index) == content:
            yield Skipped(index, part.stop - part.start)
        else:
            yield Piece(index, chunk, part, content, items(chunk))


def conclude(
    piece: Piece[T], read: list[R | RowError], work: Work[R], steps: Steps[T, R], dropped: bool
) -> Result:
    """Works on a chunk whose rows were read.

    Args:
        piece: The chunk.
        read: What was made of its items.
        work: What `steps.open_work` gave.
        steps: What is to be done.
        dropped: Whether failed rows have no place in the output.
    """
    errors, added = work(piece.chunk, read)
    chunk, errors = piece.chunk.cut(piece.part), errors[piece.part]
    kept = pa.array([_has_place(error, dropped) for error in errors])
    columns = chunk.columns if steps.keep_columns else chunk.columns.select([])
    added = {name: values[piece.part] for name, values in added.items()}
    return Result(
        piece.index,
        piece.content,
        [row.number for row in chunk.rows],
        [each if isinstance(each, RowError) else Notes(each.notes) for each in read[piece.part]],
        errors,
        columns.filter(kept),
        {name: values.filter(kept) for name, values in (outcome(errors) | added).items()},
    )


def chunk_sources(chunk: Chunk) -> list[Molecular]:
    """The molecules of a chunk, as workers take them."""
    return [as_source(row) for row in chunk.rows]


def without_molecules(piece: Piece[T]) -> Piece[T]:
    """The same to be sent away: the items have the molecules, in a form that loses nothing."""
    rows = [replace(row, mol=None, graph=None) for row in piece.chunk.rows]
    return replace(piece, chunk=Chunk(rows, piece.chunk.columns))


def _checksum(chunk: Chunk) -> str:
    """Tells the rows of a chunk from others."""
    total = hashlib.sha256(pickle.dumps(chunk_sources(chunk)))
    for batch in chunk.columns.combine_chunks().to_batches():
        total.update(batch.serialize())
    return total.hexdigest()


def _has_place(error: RowError | None, dropped: bool) -> bool:
    return error is None or not (dropped or isinstance(error, LeftOut))
