"""Parquet files, and folders of them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem

from molae.errors import ConfigError, DamagedError, DataError, RowError
from molae.io.columns import choose_id_column, choose_smiles_column, unique_names
from molae.io.records import Chunk, Row, empty_row
from molae.io.shards import SHARD_KEY, Shard
from molae.io.streams import Stream, refusal
from molae.io.structures import holds_structures, read_structures, require_structures

MAGIC = b"PAR1"
_DAMAGED = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, zlib.error)
_FOOTER_END = 8  # its length in four bytes, and MAGIC


@dataclass(frozen=True)
class _File:
    """One file of the rows.

    Attributes:
        source: Its path as given.
        rows: Number of its rows.
        schema: Its columns.
        open: Opens it.
    """

    source: str
    rows: int
    schema: pa.Schema
    open: Callable[[], pq.ParquetFile]


class ParquetRows:
    """Rows of Parquet files, one after the other.

    Where the columns hold 3D structures (see `molae.io.structures`), the molecules are those, unless a
    column of SMILES is asked for.

    Args:
        source: Name of the input, for error messages.
        files: The files.
        smiles_column: Name of the SMILES column, or None for the structures or, without any, to find it.
        id_column: Name of the column of names, or None to find it.
    Raises:
        DataError: If a column is missing or not of text, or of other types in other files.
    """

    def __init__(
        self, source: str, files: Sequence[_File], smiles_column: str | None, id_column: str | None
    ) -> None:
        self._source = source
        self._files = files
        self._schema = schema = _joint_schema(files)
        self._columns = schema.names
        self.id_column = choose_id_column(self._columns, id_column, self._source)
        self.total: int | None = sum(file.rows for file in files)
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

    def count(self) -> int:
        """The number of rows, which is known."""
        return self.total or 0

    def chunks(self, size: int, start: int = 0) -> Iterator[Chunk]:
        """Reads the rows from the place `start` on, `size` at a time, whatever the files have."""
        first = start + 1
        for table in _regrouped(self._tables(size, start), size):
            yield Chunk(self._rows(table, first), table)
            first += len(table)

    def _tables(self, size: int, start: int) -> Iterator[pa.Table]:
        skipped = start
        for file in self._files:
            if skipped < file.rows:
                yield from self._tables_of(file, size, skipped)
            skipped = max(skipped - file.rows, 0)

    def _tables_of(self, file: _File, size: int, skipped: int) -> Iterator[pa.Table]:
        """The rows of a file behind the first `skipped`; whole groups of rows are never looked at."""
        read = skipped
        try:
            with file.open() as opened:
                groups = list(range(opened.num_row_groups))
                while groups and skipped >= (rows := opened.metadata.row_group(groups[0]).num_rows):
                    skipped -= rows
                    groups = groups[1:]
                for batch in opened.iter_batches(batch_size=size, row_groups=groups):
                    # Text that is not UTF-8 would come to light only when it is used.
                    batch.validate(full=True)
                    kept = pa.Table.from_batches([batch.slice(skipped)]).rename_columns(
                        unique_names(batch.schema.names)
                    )
                    skipped = max(skipped - len(batch), 0)
                    yield pa.concat_tables([self._schema.empty_table(), kept], promote_options="default")
                    read += len(kept)
        except _DAMAGED as error:
            raise DamagedError(f"{file.source} is damaged after row {read}: {error}") from error

    def _rows(self, table: pa.Table, first: int) -> list[Row]:
        names = _texts(table[self.id_column]) if self.id_column else [None] * len(table)
        held = read_structures(table) if self.smiles_column is None else _texts(table[self.smiles_column])
        return [
            _row(number, content, name)
            for number, (content, name) in enumerate(zip(held, names, strict=True), start=first)
        ]


def parquet_file(stream: Stream, smiles_column: str | None, id_column: str | None) -> ParquetRows:
    """Rows of one Parquet file.

    Args:
        stream: The opened input.
        smiles_column: As for `ParquetRows`.
        id_column: Likewise.
    Raises:
        DataError: Likewise, or if it is no Parquet file.
    """
    with _readable(stream.source):
        opened = pq.ParquetFile(stream.seekable())
        # Opened once, whatever is read of it; closed with the stream.
        file = _File(stream.source, opened.metadata.num_rows, opened.schema_arrow, lambda: opened)
    return ParquetRows(stream.source, [file], smiles_column, id_column)


def parquet_folder(folder: Path, smiles_column: str | None, id_column: str | None) -> ParquetRows:
    """Rows of a folder of Parquet files, in the order of `parquet_parts`.

    Args:
        folder: The folder.
        smiles_column: As for `ParquetRows`.
        id_column: Likewise.
    Raises:
        DataError: Likewise, or if a file is no Parquet file, or one is missing.
    """
    files = []
    for path in parquet_parts(folder):
        with _readable(path), pq.ParquetFile(path) as opened:
            again = partial(pq.ParquetFile, path)
            files.append(_File(str(path), opened.metadata.num_rows, opened.schema_arrow, again))
    return ParquetRows(str(folder), files, smiles_column, id_column)


def parquet_parts(folder: Path) -> list[Path]:
    """The Parquet files of a folder: shards that molae wrote in their order, others by name.

    Files whose names begin with a dot or an underscore, as those of unfinished work do, are not looked at.

    Args:
        folder: The folder.
    Returns:
        Their paths; none, where it is no folder, or has none.
    Raises:
        DataError: If a shard is missing, there twice or not finished, or a file is damaged.
    """
    paths = sorted(path for path in folder.glob("*.parquet") if path.is_file() and path.name[0] not in "._")
    if unfinished := next(folder.glob("*.parquet.parts"), None):
        raise DataError(
            f"{folder}: {unfinished.name.removesuffix('.parts')} is not finished: go on with --resume, or"
            f" remove {unfinished.name}"
        )
    shards = {path: _shard(path) for path in paths}
    numbered = sorted((shard, path) for path, shard in shards.items() if shard is not None)
    if not paths or len(numbered) < len(paths):
        return paths
    count = max(shard.count for shard, _ in numbered)
    if [shard for shard, _ in numbered] != [Shard(number, count) for number in range(1, count + 1)]:
        held = ", ".join(str(shard) for shard, _ in numbered[:20])
        raise DataError(f"{folder}: expected every shard of {count} once, there are {held}")
    return [path for _, path in numbered]


def footer_digest(paths: Iterable[Path]) -> str:
    """A checksum of sizes and footers of Parquet files, which costs nothing even where they hold terabytes.

    A footer tells where every column of every group of rows begins, how long it is, and its extremes.
    """
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(-min(_FOOTER_END, size), 2)
            length = int.from_bytes(file.read(4), "little") + _FOOTER_END
            file.seek(-min(length, size), 2)
            total.update(f"{path.name} {size} ".encode() + file.read())
    return total.hexdigest()


def _shard(path: Path) -> Shard | None:
    with _readable(path):
        text = (pq.read_schema(path).metadata or {}).get(SHARD_KEY.encode())
    try:
        return Shard.parse(text.decode()) if text else None
    except (ConfigError, UnicodeDecodeError):
        return None


@contextmanager
def _readable(source: object) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise DataError(f"{source} is not a readable Parquet file: {error}") from error


def _joint_schema(files: Sequence[_File]) -> pa.Schema:
    """All columns of all files, in the order in which they turn up."""
    joint = pa.schema([])
    for file in files:
        names = unique_names(file.schema.names)
        fields = [entry.with_name(name) for entry, name in zip(file.schema, names, strict=True)]
        try:
            joint = pa.unify_schemas([joint, pa.schema(fields)], promote_options="default")
        except pa.ArrowException as error:
            raise DataError(f"{file.source} has other columns than the files before it: {error}") from error
    return joint


def _regrouped(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows, `size` in a table, fewer in the last."""
    held: list[pa.Table] = []
    count = 0
    for table in tables:
        while count + len(table) >= size:
            yield pa.concat_tables([*held, table.slice(0, size - count)])
            table, held, count = table.slice(size - count), [], 0
        if len(table):
            held.append(table)
            count += len(table)
    if held:
        yield pa.concat_tables(held)


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
