"""Opens any input: the format by suffix, the column by name, the rows one chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from molae.errors import DataError
from molae.io.columns import is_smiles_name
from molae.io.delimited import DelimitedFile, find_delimiter
from molae.io.edge_list import EdgeList, is_edge_list
from molae.io.graph6 import Graph6File
from molae.io.parquet_file import MAGIC, ParquetRows
from molae.io.records import Chunk
from molae.io.sdf import SdfFile
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

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Reads the rows lazily, at most `size` at a time."""
        ...


class Reader:
    """The chunks of an input, read once and lazily; also a context manager that closes the file.

    Attributes:
        source: Path as given, `-` for standard input.
        smiles_column: Column that the SMILES come from, None for files of structures or graphs.
        id_column: Column that the ids come from, or None.
    """

    def __init__(self, source: str, stream: Stream | None, rows: RowFormat, chunk_size: int) -> None:
        self.source = source
        self.smiles_column = rows.smiles_column
        self.id_column = rows.id_column
        self._stream = stream
        self._rows = rows
        self._chunk_size = chunk_size
        self._read = 0

    @property
    def holds_graphs(self) -> bool:
        """Whether the rows are graphs that are no molecules."""
        return isinstance(self._rows, (EdgeList, Graph6File, TUFolder))

    @property
    def total(self) -> int | None:
        """Number of rows, for progress: exact for Parquet, else estimated from the share of bytes read.

        None for standard input and folders, and before the first chunk.
        """
        if isinstance(self._rows, ParquetRows):
            return self._rows.total
        fraction = self._stream.fraction if self._stream else None
        return round(self._read / fraction) if fraction and self._read else None

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._rows.chunks(self._chunk_size):
            self._read += len(chunk.rows)
            yield chunk
        if self._read == 0:
            raise DataError(f"{self.source} holds no rows")

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
) -> Reader:
    """Opens a file of molecules or graphs, or standard input, to read it chunk by chunk.

    Formats go by suffix: `.smi .txt .csv .tsv .parquet .sdf .g6`, each also with `.gz`; a folder is taken for
    one of the TUDataset collection, and a table with the columns `graph`, `source` and `target` for a list of
    edges. Files of molecules are read in bounded memory. Standard input and `.txt`
    are taken for what they look like: an SD file, a table where the first line is a header with a SMILES
    column between commas, semicolons or tabs, else a SMILES file; standard input may be Parquet or gzip too.
    A Parquet file that has the columns of `molae.io.structures` gives 3D structures, as an SD file does.

    Args:
        source: Path, or `-` for standard input.
        smiles_column: Name of the SMILES column, or None to find it by name, structures first.
        id_column: Name of the column of names, or None for `id`, `name`, or the title of SDF records.
        chunk_size: Most rows in a chunk.
    Returns:
        A reader of chunks.
    Raises:
        DataError: If the file or a column is missing, the file is empty, or the suffix is unknown. While
            reading, if the file is damaged or has no rows. A bad row never raises; it carries its error.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.smi"
    >>> _ = path.write_text("CCO ethanol\\n\\n")
    >>> with open_rows(path) as reader:
    ...     [(row.number, row.smiles, row.id, row.error and row.error.kind) for c in reader for row in c.rows]
    [(1, 'CCO', 'ethanol', None), (2, None, None, 'empty')]
    """
    if Path(source).is_dir():
        return Reader(str(source), None, TUFolder(Path(source)), chunk_size)
    suffix = _suffix(str(source))
    stream = open_stream(source)
    try:
        rows = _open_format(stream, suffix, smiles_column, id_column)
        return Reader(stream.source, stream, rows, chunk_size)
    except BaseException:
        stream.close()
        raise


def _suffix(source: str) -> str | None:
    if source == STANDARD_INPUT:
        return None
    suffix = Path(source.lower().removesuffix(".gz")).suffix
    if suffix not in INPUT_SUFFIXES:
        raise DataError(
            f"{source}: unknown suffix {suffix!r}, expected one of {' '.join(INPUT_SUFFIXES)} "
            "(each also with .gz), a folder of a TUDataset, or - for standard input"
        )
    return suffix


def _open_format(
    stream: Stream, suffix: str | None, smiles_column: str | None, id_column: str | None
) -> RowFormat:
    if suffix == ".parquet" or (suffix is None and stream.starts_with(MAGIC)):
        return ParquetRows(stream, smiles_column, id_column)
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
