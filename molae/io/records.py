"""What readers give: rows, the columns they came with, and chunks of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
from rdkit import Chem

from molae.errors import RowError
from molae.graphs.labelled import LabelledGraph

CHUNK_CHARACTERS = 1 << 24  # a chunk ends early here, so that rows of monstrous size do not add up


@dataclass(frozen=True)
class Row:
    """One molecule of the input, or one graph, or the reason why there is none.

    Attributes:
        number: Position of the row in the input, from 1, a header not counted.
        smiles: SMILES as written, without surrounding blanks; None where `mol` or `graph` is set, and for
            unusable rows.
        mol: Molecule of an SDF record or of a Parquet file of structures, sanitised, with its coordinates
            in Å and its explicit hydrogens.
        id: Name of the molecule or graph, where the input has one.
        error: Why the row cannot be used, or None.
        graph: Graph of a file of graphs that are no molecules.
    """

    number: int
    smiles: str | None = None
    mol: Chem.Mol | None = None
    id: str | None = None
    error: RowError | None = None
    graph: LabelledGraph | None = None


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of the input.

    Attributes:
        rows: The rows, in input order.
        columns: The input's own columns, one line for each row. Text formats keep their text (so that nothing
            is lost to a guessed type), Parquet its types; null where a line could not be split.
    """

    rows: list[Row]
    columns: pa.Table

    def cut(self, part: slice) -> Chunk:
        """Some consecutive rows of it."""
        rows = self.rows[part]
        return Chunk(rows, self.columns.slice(part.start, len(rows)))


@dataclass(frozen=True)
class Record:
    """A row of a text format with the text of its columns."""

    row: Row
    values: Mapping[str, str] = field(default_factory=dict)


def empty_row() -> RowError:
    """The error of a row that keeps its place but holds no molecule."""
    return RowError("no molecule in this row", kind="empty")


#: Makes a record, once it is known to be wanted.
Make = Callable[[], Record]


class RecordRows(ABC):
    """Rows of a format that gives them one by one.

    Attributes:
        total: Number of rows, None where only reading them all tells.
        smiles_column: Column that the SMILES come from, None for formats that hold structures or graphs.
        id_column: Column that the ids come from, None where there is none.
    """

    total: int | None = None
    smiles_column: str | None = None
    id_column: str | None = None

    @abstractmethod
    def records(self) -> Iterator[Make]:
        """Reads lazily what makes the records, in input order."""

    @abstractmethod
    def columns(self) -> Sequence[str]:
        """Columns that every chunk has; any others follow in the order in which they turn up."""

    def chunks(self, size: int, start: int = 0) -> Iterator[Chunk]:
        """Reads the rows from a place on, at most `size` at a time (see `chunked`)."""
        return chunked(self.records(), size, self.columns(), start)

    def count(self) -> int:
        """Reads on to the end, making nothing of the rows, to count them."""
        return sum(1 for _ in self.records())


def chunked(
    records: Iterable[Make], size: int, columns: Sequence[str] = (), start: int = 0
) -> Iterator[Chunk]:
    """Groups records into chunks, lazily.

    A chunk ends at a multiple of `size` rows, or early where rows hold much text: so the chunks from one
    multiple to the next are the same wherever reading starts.

    Args:
        records: What makes the records, in input order.
        size: Most rows a chunk may have.
        columns: Columns that every chunk has; any others follow in the order in which they turn up.
        start: Records to skip, a multiple of `size`.
    Yields:
        The chunks.
    """
    held: list[Record] = []
    characters = 0
    for end, make in enumerate(islice(records, start, None), start=1):
        record = make()
        held.append(record)
        characters += sum(map(len, record.values.values()))
        if end % size == 0 or characters >= CHUNK_CHARACTERS:
            yield _chunk(held, columns)
            held, characters = [], 0
    if held:
        yield _chunk(held, columns)


def _chunk(records: list[Record], columns: Sequence[str]) -> Chunk:
    names = dict.fromkeys(columns) | dict.fromkeys(name for record in records for name in record.values)
    table = pa.table(
        {name: pa.array([record.values.get(name) for record in records], pa.string()) for name in names}
    )
    return Chunk([record.row for record in records], table)
