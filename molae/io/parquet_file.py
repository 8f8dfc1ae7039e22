"""Parquet files."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem

from molae.errors import DataError, RowError
from molae.io.columns import choose_id_column, choose_smiles_column, unique_names
from molae.io.records import Chunk, Row, empty_row
from molae.io.streams import Stream, refusal
from molae.io.structures import holds_structures, read_structures, require_structures

MAGIC = b"PAR1"
_DAMAGED = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, zlib.error)


class ParquetRows:
    """Rows of a Parquet file.

    Where the columns hold 3D structures (see `molae.io.structures`), the molecules are those, unless a
    column of SMILES is asked for.

    Args:
        stream: The opened input.
        smiles_column: Name of the SMILES column, or None for the structures or, without any, to find it.
        id_column: Name of the column of names, or None to find it.
    Raises:
        DataError: If the file is no Parquet file, or a column is missing or not of text.
    """

    def __init__(self, stream: Stream, smiles_column: str | None, id_column: str | None) -> None:
        self._source = stream.source
        try:
            self._file = pq.ParquetFile(stream.seekable())
        except _DAMAGED as error:
            raise DataError(f"{self._source} is not a readable Parquet file: {error}") from error
        schema = self._file.schema_arrow
        self._columns = unique_names(schema.names)
        self.id_column = choose_id_column(self._columns, id_column, self._source)
        self.total = self._file.metadata.num_rows
        self.smiles_column: str | None = None
        if smiles_column is None and holds_structures(self._columns):
            require_structures(schema, self._source)
            return
        self.smiles_column = choose_smiles_column(self._columns, smiles_column, self._source)
        kind = schema.field(self._columns.index(self.smiles_column)).type
        if not _is_text(kind):
            raise DataError(
                f"{self._source}: column {self.smiles_column!r} is of type {kind}, expected text; "
                "name another with --smiles-column"
            )

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Reads the rows, `size` at a time."""
        first = 1
        try:
            for batch in self._file.iter_batches(batch_size=size):
                table = pa.Table.from_batches([batch]).rename_columns(self._columns)
                yield Chunk(self._rows(table, first), table)
                first += len(table)
        except _DAMAGED as error:
            raise DataError(f"{self._source} is damaged after row {first - 1}: {error}") from error

    def _rows(self, table: pa.Table, first: int) -> list[Row]:
        names = _texts(table[self.id_column]) if self.id_column else [None] * len(table)
        held = read_structures(table) if self.smiles_column is None else _texts(table[self.smiles_column])
        return [
            _row(number, content, name)
            for number, (content, name) in enumerate(zip(held, names, strict=True), start=first)
        ]


def _row(number: int, content: Chem.Mol | RowError | str | None, name: str | None) -> Row:
    if isinstance(content, Chem.Mol):
        return Row(number, mol=content, id=name)
    if isinstance(content, RowError):
        return Row(number, id=name, error=content)
    if error := refusal(content) if content else empty_row():
        return Row(number, id=name, error=error)
    return Row(number, smiles=content, id=name)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """The values as text without surrounding blanks; None for nulls and empty text."""
    return [str(value).strip() or None if value is not None else None for value in column.to_pylist()]
