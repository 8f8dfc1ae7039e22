"""Opens any input: the format by suffix, the column by name, the rows one chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from molae.errors import DataError
from molae.io.columns import is_smiles_name
from molae.io.delimited import DelimitedFile, find_delimiter
from molae.io.edge_list import EdgeList, is_edge_list
from molae.io.graph6 import Graph6File
from molae.io.parquet_file import MAGIC, parquet_file, parquet_folder, parquet_parts
from molae.io.records import Chunk, Row
from molae.io.sdf import SdfFile
from molae.io.shards import Shard
from molae.io.smiles_file import SmilesFile
from molae.io.streams import STANDARD_INPUT, Lines, Stream, open_stream
from molae.io.tu_folder import TUFolder

INPUT_SUFFIXES = (".smi", ".txt", ".csv", ".tsv", ".parquet", ".sdf", ".g6")
CHUNK_SIZE = 1024


class RowFormat(Protocol):
    """What a format gives: the columns it chose, and its rows."""

    @property
    def smiles_column(self) -> str | None:
        """Column that the SMILES come from, None for formats that hold structures."""
        ...

    @property
    def id_column(self) -> str | None:
        """Column that the ids come from, None where there is none."""
        ...

    @property
    def total(self) -> int | None:
        """Number of rows, None where only reading them all tells."""
        ...

    def chunks(self, size: int, start: int = 0) -> Iterator[Chunk]:
        """Reads the rows lazily from the place `start` on, a multiple of `size`, at most `size` at a time.

        The chunks from one multiple of `size` to the next are the same whatever `start` is.
        """
        ...

    def count(self) -> int:
        """Counts the rows, which may use up the reader."""
        ...


class Reader:
    """The chunks of an input, read once and lazily; also a context manager that closes the file.

    Where only some rows are wanted, the chunks are those that have one of them, whole: what is made of a row
    may depend on the rows of its chunk, if by rounding alone. `wanted` tells which rows of them are meant.

    Attributes:
        source: Path as given, `-` for standard input.
        smiles_column: Column that the SMILES come from, None for files of structures or graphs.
        id_column: Column that the ids come from, or None.
        chunks_read: Number of chunks given so far.
    """

    def __init__(
        self,
        source: str,
        stream: Stream | None,
        rows: RowFormat,
        chunk_size: int,
        places: range | None = None,
    ) -> None:
        self.source = source
        self.smiles_column = rows.smiles_column
        self.id_column = rows.id_column
        self._stream = stream
        self._rows = rows
        self._chunk_size = chunk_size
        self._places = places
        self._read = 0
        self.chunks_read = 0

    @property
    def holds_graphs(self) -> bool:
        """Whether the rows are graphs that are no molecules."""
        return isinstance(self._rows, (EdgeList, Graph6File, TUFolder))

    @property
    def columns_vary(self) -> bool:
        """Whether a row may have columns that those before it lack."""
        return isinstance(self._rows, SdfFile)

    @property
    def total(self) -> int | None:
        """Number of wanted rows, for progress: exact for Parquet, and where only some are wanted; else
        estimated from the share of bytes read.

        None for standard input, folders of text files, and before the first chunk.
        """
        if self._places is not None:
            return len(self._places)
        if self._rows.total is not None:
            return self._rows.total
        fraction = self._stream.fraction if self._stream else None
        return round(self._read / fraction) if fraction and self._read else None

    def __iter__(self) -> Iterator[Chunk]:
        first = 0 if self._places is None else self._places.start
        for chunk in self._rows.chunks(self._chunk_size, first // self._chunk_size * self._chunk_size):
            if self._places is not None and chunk.rows[0].number > self._places.stop:
                break
            self._read += len(chunk.rows)
            part = self.wanted(chunk.rows)
            if part.start < part.stop:
                self.chunks_read += 1
                yield chunk
        if self._read == 0:
            raise DataError(f"{self.source} holds no rows")

    def wanted(self, rows: Sequence[Row]) -> slice:
        """Which rows of a chunk are wanted."""
        if self._places is None:
            return slice(0, len(rows))
        ends = (end - (rows[0].number - 1) for end in (self._places.start, self._places.stop))
        return slice(*(min(max(end, 0), len(rows)) for end in ends))

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._stream:
            self._stream.close()


def open_rows(
    source: str | Path,
    smiles_column: str | None = None,
    id_column: str | None = None,
    chunk_size: int = CHUNK_SIZE,
    shard: Shard | None = None,
) -> Reader:
    """Opens a file of molecules or graphs, or standard input, to read it chunk by chunk.

    Formats go by suffix: `.smi .txt .csv .tsv .parquet .sdf .g6`, each also with `.gz`; a folder holds
    Parquet files, which are read as one (see `molae.io.parquet_file.parquet_parts`), or is one of the
    TUDataset collection; and a table with the columns `graph`, `source` and `target` for a list of
    edges. Files of molecules are read in bounded memory. Standard input and `.txt`
    are taken for what they look like: an SD file, a table where the first line is a header with a SMILES
    column between commas, semicolons or tabs, else a SMILES file; standard input may be Parquet or gzip too.
    A Parquet file that has the columns of `molae.io.structures` gives 3D structures, as an SD file does.

    Args:
        source: Path, or `-` for standard input.
        smiles_column: Name of the SMILES column, or None to find it by name, structures first.
        id_column: Name of the column of names, or None for `id`, `name`, or the title of SDF records.
        chunk_size: Most rows in a chunk.
        shard: Which rows are wanted, None for all. The rows of a text file are counted first, and those
            before the shard split but not parsed; Parquet files tell how many they have, and are read from
            the first wanted row on.
    Returns:
        A reader of chunks.
    Raises:
        DataError: If the file or a column is missing, the file is empty, the suffix is unknown, or there are
            more shards than rows. While
            reading, if the file is damaged or has no rows. A bad row never raises; it carries its error.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.smi"
    >>> _ = path.write_text("CCO ethanol\\n\\n")
    >>> with open_rows(path) as reader:
    ...     [(row.number, row.smiles, row.id, row.error and row.error.kind) for c in reader for row in c.rows]
    [(1, 'CCO', 'ethanol', None), (2, None, None, 'empty')]
    """
    places = None
    if shard is not None:
        places = shard_places(shard, _count(source, smiles_column, id_column), source)
    rows, stream = _open(source, smiles_column, id_column)
    return Reader(str(source), stream, rows, chunk_size, places)


def shard_places(shard: Shard, total: int, source: object) -> range:
    """The places, from 0, of the rows of a shard.

    Raises:
        DataError: If it has none.
    """
    places = shard.places(total)
    if not places:
        raise DataError(f"{source} has {total} rows, too few for {shard.count} shards")
    return places


def _open(
    source: str | Path, smiles_column: str | None, id_column: str | None
) -> tuple[RowFormat, Stream | None]:
    folder = Path(source)
    if folder.is_dir():
        if parquet_parts(folder):
            return parquet_folder(folder, smiles_column, id_column), None
        return TUFolder(folder), None
    suffix = _suffix(str(source))
    stream = open_stream(source)
    try:
        return _open_format(stream, suffix, smiles_column, id_column), stream
    except BaseException:
        stream.close()
        raise


def _count(source: str | Path, smiles_column: str | None, id_column: str | None) -> int:
    if str(source) == STANDARD_INPUT:
        raise DataError("standard input cannot be divided into shards: save it to a file first")
    rows, stream = _open(source, smiles_column, id_column)
    try:
        return rows.count()
    finally:
        if stream is not None:
            stream.close()


def _suffix(source: str) -> str | None:
    if source == STANDARD_INPUT:
        return None
    suffix = Path(source.lower().removesuffix(".gz")).suffix
    if suffix not in INPUT_SUFFIXES:
        raise DataError(
            f"{source}: unknown suffix {suffix!r}, expected one of {' '.join(INPUT_SUFFIXES)} "
            "(each also with .gz), a folder of Parquet files or of a TUDataset, or - for standard input"
        )
    return suffix


def _open_format(
    stream: Stream, suffix: str | None, smiles_column: str | None, id_column: str | None
) -> RowFormat:
    if suffix == ".parquet" or (suffix is None and stream.starts_with(MAGIC)):
        return parquet_file(stream, smiles_column, id_column)
    lines = Lines(stream)
    kind = _recognise(lines, smiles_column) if suffix in (None, ".txt") else suffix
    if kind == ".sdf":
        return SdfFile(lines, smiles_column, id_column, stream.source)
    if kind == ".smi":
        return SmilesFile(lines, smiles_column, id_column, stream.source)
    if kind == ".g6":
        return Graph6File(lines)
    if smiles_column is None and is_edge_list(lines.head(1)[0]):
        return EdgeList(lines, stream.source)
    delimiter = "\t" if kind == ".tsv" else None
    return DelimitedFile(lines, delimiter, smiles_column, id_column, stream.source)


def _recognise(lines: Lines, smiles_column: str | None) -> str:
    """The suffix that would fit the first lines."""
    head = lines.head(4)
    if len(head) == 4 and ("V2000" in head[3] or "V3000" in head[3]):
        return ".sdf"
    cells = [cell.strip('" ') for cell in head[0].split(find_delimiter(head[0]))]
    named = [cell == smiles_column or is_smiles_name(cell) for cell in cells]
    # `smiles<TAB>name` may as well head a SMILES file, which forgives lines without a name.
    heads_smiles_file = named[0] and (len(cells) == 1 or (len(cells) == 2 and "\t" in head[0]))
    return ".csv" if any(named) and not heads_smiles_file else ".smi"
