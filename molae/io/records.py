"""What readers give: rows, the columns they came with, and chunks of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Record:
    """A row of a text format with the text of its columns."""

    row: Row
    values: Mapping[str, str] = field(default_factory=dict)


def empty_row() -> RowError:
    """The error of a row that keeps its place but holds no molecule."""
    return RowError("no molecule in this row", kind="empty")


def chunked(records: Iterable[Record], size: int, columns: Sequence[str] = ()) -> Iterator[Chunk]:
    """Groups records into chunks, lazily.

    Args:
        records: Records in input order.
        size: Most rows a chunk may have; it has fewer where they hold much text.
        columns: Columns that every chunk has; any others follow in the order in which they turn up.
    Yields:
        The chunks.
    """
    held: list[Record] = []
    characters = 0
    for record in records:
        held.append(record)
        characters += sum(map(len, record.values.values()))
        if len(held) >= size or characters >= CHUNK_CHARACTERS:
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
