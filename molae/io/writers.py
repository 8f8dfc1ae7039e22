"""Final output files, by suffix; each appears under its name complete or not at all."""

from __future__ import annotations

import gzip
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Float

from molae.errors import DataError

TABLE_SUFFIXES = (".parquet", ".csv", ".csv.gz")
ARRAY_SUFFIXES = (".npy", ".npz")
RECORD_SUFFIXES = (".sdf", ".sdf.gz")
LINE_SUFFIXES = (".smi", ".smi.gz")

_Write = Callable[[IO[bytes], pa.Schema, Callable[[], Iterable[pa.Table]]], None]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the folder of `path`, renamed to it on success and removed on any error.

    Args:
        path: The final path.
    Yields:
        The temporary path to write to.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Where this process writes what gets the name `path` when it is complete."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def temporaries(path: Path) -> list[Path]:
    """The temporary paths of any process for `path`; they outlive a process only where it was killed."""
    name = re.compile(re.escape(f".{path.name}.") + r"\d+\.tmp")
    return [each for each in path.parent.glob(".*.tmp") if name.fullmatch(each.name)]


def output_suffix(path: Path, allowed: Sequence[str]) -> str:
    """Returns the suffix that decides the format of an output file.

    Args:
        path: Path of the output.
        allowed: Suffixes of the formats that can hold it.
    Returns:
        One of `allowed`.
    Raises:
        DataError: If the path has another suffix.
    """
    for suffix in allowed:
        if path.name.lower().endswith(suffix):
            return suffix
    raise DataError(f"{path}: cannot write this suffix here, expected one of {' '.join(allowed)}")


def check_folder(path: Path) -> None:
    """Makes sure, before any work, that the folder of an output is there.

    Raises:
        DataError: If it is not.
    """
    if not path.parent.is_dir():
        raise DataError(f"there is no folder {path.parent} to write {path.name} to")


def matrix_column(matrix: Float[np.ndarray, "n d"], valid: Bool[np.ndarray, " n"]) -> pa.FixedSizeListArray:
    """Makes a column of vectors, float32 lists of fixed size, null where a row is not valid.

    Args:
        matrix: A vector for each row; those of rows that are not valid are never looked at.
        valid: Which rows have a vector.
    Returns:
        The column, of length n.
    """
    values = pa.array(np.ascontiguousarray(matrix, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(values, matrix.shape[1], mask=pa.array(~valid))


def column_matrix(column: pa.Array) -> Float[np.ndarray, "n d"]:
    """The matrix of a column of vectors, float32; NaN in rows that are null."""
    matrix = np.full((len(column), column.type.list_size), np.nan, dtype=np.float32)
    vectors = column.drop_null().flatten().to_numpy(zero_copy_only=False)
    matrix[column.is_valid().to_numpy(zero_copy_only=False)] = vectors.reshape(-1, column.type.list_size)
    return matrix


def is_matrix(kind: pa.DataType) -> bool:
    """Whether a column of this type holds vectors of fixed size, as `matrix_column` makes them."""
    return pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type)


def write_table(path: Path, suffix: str, schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
    """Writes tables one after the other into one file, atomically and in memory for one table only.

    Parquet and CSV hold every column; in CSV, a vector is spread over columns `embedding_0`, `embedding_1`
    and so on. `.npz` holds vectors, numbers (float64) and text under the names of their columns, `.npy` the
    vectors alone; in both, missing vectors and numbers are NaN. `.sdf` is the text of the last column, `.smi`
    that of the first, a line each. The same tables always give the same bytes.

    Args:
        path: The final path.
        suffix: One of `TABLE_SUFFIXES`, `ARRAY_SUFFIXES`, `RECORD_SUFFIXES` and `LINE_SUFFIXES`.
        schema: The schema of all tables.
        tables: Gives the tables, afresh at each call.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        _WRITERS[suffix](file, schema, tables)


def parquet_writer(file: str | Path | IO[bytes], schema: pa.Schema) -> pq.ParquetWriter:
    """Opens a Parquet file to write tables of a schema into.

    Vectors, of which no two are the same, get neither a dictionary nor statistics.
    """
    others = [entry.name for entry in schema if not is_matrix(entry.type)]
    return pq.ParquetWriter(file, schema, use_dictionary=others, write_statistics=others)


def _write_parquet(file: IO[bytes], schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
    with parquet_writer(file, schema) as writer:
        for table in tables():
            writer.write_table(table)


def _write_csv(file: IO[bytes], schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
    names = pa.array([name for entry in schema for name in _csv_names(entry)])
    file.write((",".join(_quoted(names).to_pylist()) + "\n").encode())
    for table in tables():
        if len(table):
            cells = [cell for column in table.columns for cell in _csv_cells(column.combine_chunks())]
            lines = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
            file.write(("\n".join(lines.to_pylist()) + "\n").encode())


def _write_records(file: IO[bytes], schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
    for table in tables():
        for text in table.columns[-1].drop_null().to_pylist():
            file.write(text.encode())


def _write_lines(file: IO[bytes], schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
    for table in tables():
        for text in table.columns[0].drop_null().to_pylist():
            file.write(f"{text}\n".encode())


def _packed(write: _Write) -> _Write:
    """The same, compressed by gzip."""

    def write_packed(file: IO[bytes], schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
        # Without a time and a name in its header, so that the same content gives the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
            write(cast(IO[bytes], packed), schema, tables)

    return write_packed


def _csv_names(entry: pa.Field) -> list[str]:
    if is_matrix(entry.type):
        return [f"{entry.name}_{index}" for index in range(entry.type.list_size)]
    return [entry.name]


def _csv_cells(column: pa.Array) -> list[pa.Array]:
    """The texts of a column as they stand in CSV; several columns for vectors."""
    kind = column.type
    if is_matrix(kind):
        matrix, missing = column_matrix(column), column.is_null().to_numpy(zero_copy_only=False)
        return [pa.array(values, mask=missing).cast(pa.string()) for values in matrix.T]
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        values = [
            None if value is None else json.dumps(value, default=str, ensure_ascii=False)
            for value in column.to_pylist()
        ]
        return [_quoted(pa.array(values, pa.string()))]
    return [_quoted(column.cast(pa.string()))]


def _quoted(column: pa.Array) -> pa.Array:
    """Quotes where RFC 4180 asks for it."""
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(column, r'[",\r\n]'), quoted, column)


def _write_npy(file: IO[bytes], schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
    vectors = [entry.name for entry in schema if is_matrix(entry.type)]
    if len(vectors) != 1:
        raise DataError(f".npy holds one column of vectors, there are {len(vectors)}: write .npz or .parquet")
    _write_array(file, vectors[0], schema, tables)


def _write_npz(file: IO[bytes], schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in schema:
            if is_matrix(entry.type) or _is_number(entry.type) or pa.types.is_string(entry.type):
                # A ZipInfo made by name alone has no time of writing.
                with archive.open(zipfile.ZipInfo(f"{entry.name}.npy"), "w", force_zip64=True) as member:
                    _write_array(member, entry.name, schema, tables)


def _write_array(
    file: IO[bytes], name: str, schema: pa.Schema, tables: Callable[[], Iterable[pa.Table]]
) -> None:
    """Writes one column in the NPY format, block by block."""
    kind = schema.field(name).type
    rows = sum(len(table) for table in tables())
    shape = (rows, kind.list_size) if is_matrix(kind) else (rows,)
    dtype = _array_type(kind, (table[name] for table in tables()))
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, header)
    for table in tables():
        column = table[name].combine_chunks()
        values = column_matrix(column) if is_matrix(kind) else _plain_array(column)
        file.write(np.ascontiguousarray(values.astype(dtype)).tobytes())


def _array_type(kind: pa.DataType, columns: Iterable[pa.ChunkedArray]) -> np.dtype:
    if is_matrix(kind):
        return np.dtype("<f4")
    if _is_number(kind):
        return np.dtype("<f8")
    longest = (pc.max(pc.utf8_length(column)).as_py() or 0 for column in columns)
    return np.dtype(f"<U{max(longest, default=0) or 1}")


def _plain_array(column: pa.Array) -> np.ndarray:
    if _is_number(column.type):
        return column.cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)
    return np.array(column.fill_null("").to_pylist(), dtype=str)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


_WRITERS: dict[str, _Write] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".csv.gz": _packed(_write_csv),
    ".sdf": _write_records,
    ".sdf.gz": _packed(_write_records),
    ".smi": _write_lines,
    ".smi.gz": _packed(_write_lines),
    ".npy": _write_npy,
    ".npz": _write_npz,
}
