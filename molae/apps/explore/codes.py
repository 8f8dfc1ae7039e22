"""Files of codes, as `molae embed` writes them."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int

from molae.apps.origin import CodesOrigin
from molae.errors import DataError
from molae.io.columns import choose_id_column, choose_smiles_column, unique_names
from molae.io.parquet_file import parquet_parts

logger = logging.getLogger("molae.apps")

CODES_SUFFIXES = (".parquet", ".csv", ".csv.gz", ".npz", ".npy")

# Where the input had the name already, `molae_` precedes it.
_VECTORS = re.compile(r"(molae_)*embedding")
_SPREAD = re.compile(r"((?:molae_)*embedding)_(\d+)")


@dataclass(frozen=True)
class Codes:
    """Rows of a file of codes.

    Attributes:
        source: Name of the file.
        vectors: Their codes, float32, NaN where there is none.
        rows: Their numbers in the file, from 1.
        columns: Their other columns, without status and error.
        smiles_column: Column of SMILES, or None where there is none.
        id_column: Column of names, or None where there is none.
        origin: Which model the codes came from, or None where the file does not tell.
    """

    source: str
    vectors: Float[np.ndarray, "n d"]
    rows: Int[np.ndarray, " n"]
    columns: pa.Table
    smiles_column: str | None
    id_column: str | None
    origin: CodesOrigin | None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def valid(self) -> Bool[np.ndarray, " n"]:
        """Which rows have a code."""
        return np.isfinite(self.vectors).all(axis=1)

    @property
    def compared(self) -> Float[np.ndarray, "n c"]:
        """What tells how alike rows are: the summaries of codes that have one, else the whole codes."""
        return self.vectors[:, : self.origin.summary or None] if self.origin else self.vectors

    def texts(self, name: str | None) -> list[str]:
        """The cells of a column as text, empty where there is nothing, or no such column."""
        if name is None:
            return [""] * len(self)
        return ["" if value is None else str(value) for value in self.columns[name].to_pylist()]

    def of_model(self, model: str | Path | None, seed: int = 0) -> Codes:
        """The same, of a model where their file does not tell which.

        Args:
            model: The model, None if it is not known.
            seed: Seed of the conformers that the codes are of.
        """
        if self.origin is not None or model is None:
            return self
        return replace(self, origin=CodesOrigin.of(model, seed))

    def take(self, places: Int[np.ndarray, " m"]) -> Codes:
        """Some of the rows, by their places from 0."""
        return replace(
            self,
            vectors=self.vectors[places],
            rows=self.rows[places],
            columns=self.columns.take(pa.array(places)),
        )


def holds_codes(path: str | Path) -> bool:
    """Whether a file is one that `molae embed` may have written."""
    path = Path(path)
    try:
        suffix = _suffix(path)
        if suffix == ".parquet":
            names = pq.read_schema(_parquet_files(path)[0]).names
        elif suffix == ".npy":
            return path.exists()  # nothing else is read from one
        elif suffix == ".npz":
            names = [name.removesuffix(".npy") for name in zipfile.ZipFile(path).namelist()]
        else:
            names = _header(path)
    except (DataError, OSError, pa.ArrowException, zipfile.BadZipFile):
        return False
    return any(_VECTORS.fullmatch(name) or _SPREAD.fullmatch(name) for name in names)


def read_codes(path: str | Path, smiles_column: str | None = None, id_column: str | None = None) -> Codes:
    """Reads a file of codes into memory.

    Args:
        path: A `.parquet`, `.csv`, `.csv.gz`, `.npz` or `.npy` file that `molae embed` wrote, or a folder of
            its shards in Parquet.
        smiles_column: Name of the SMILES column, or None to find it, if there is any.
        id_column: Name of the column of names, or None to find it, if there is any.
    Returns:
        All its rows.
    Raises:
        DataError: If the file cannot be read, a column is missing, or no row has a code.
    """
    path = Path(path)
    suffix = _suffix(path)
    if not path.exists():
        raise DataError(f"there is no file {path}")
    try:
        table, matrix, origin = _READERS[suffix](path)
    except (pa.ArrowException, OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable {suffix} file: {error}") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    added = {_added(table.column_names, "status"), _added(table.column_names, "error")}
    kept = [name for name in table.column_names if name not in added]
    codes = Codes(
        source=path.name,
        vectors=matrix,
        rows=np.arange(1, len(matrix) + 1),
        columns=table.select(kept),
        smiles_column=_find_smiles(table.select(kept), smiles_column, str(path)),
        id_column=choose_id_column(kept, id_column, str(path)),
        origin=origin,
    )
    if not codes.valid.any():
        raise DataError(f"{path}: no row has a code; what `molae embed` said tells why")
    return codes


def _suffix(path: Path) -> str:
    if path.is_dir() and _parquet_files(path):
        return ".parquet"
    for suffix in CODES_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise DataError(
        f"{path}: codes are read from {' '.join(CODES_SUFFIXES)};"
        " write them with `molae embed -o codes.parquet`"
    )


def _find_smiles(table: pa.Table, requested: str | None, source: str) -> str | None:
    texts = [entry.name for entry in table.schema if _is_text(entry.type)]
    try:
        return choose_smiles_column(texts, requested, source)
    except DataError as error:
        if requested is not None:
            raise
        logger.debug("%s", error)
        return None


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _read_parquet(path: Path) -> tuple[pa.Table, np.ndarray, CodesOrigin | None]:
    tables = []
    for part in _parquet_files(path):
        with pq.ParquetFile(part) as file:
            tables.append(file.read())
    origins = [CodesOrigin.from_metadata(table.schema.metadata) for table in tables]
    if any(each != origins[0] for each in origins):
        raise ValueError("its files hold codes of different models: keep those of one model in a folder")
    origin = origins[0]
    table = pa.concat_tables(tables, promote_options="default") if len(tables) > 1 else tables[0]
    table = table.rename_columns(unique_names(table.column_names))
    name = _vectors_name(table.column_names)
    return table.drop_columns([name]), _matrix(table[name]), origin


def _parquet_files(path: Path) -> list[Path]:
    return parquet_parts(path) if path.is_dir() else [path]


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    """The vectors of a column of lists, of fixed size or not: other programs write them back as they like."""
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)) and not (
        pa.types.is_fixed_size_list(column.type)
    ):
        raise ValueError(f"the codes are of type {column.type}, expected lists of numbers")
    sizes = pc.unique(pc.list_value_length(column.drop_null())).to_pylist()
    if len(sizes) > 1:
        raise ValueError(f"the codes differ in length: {sorted(sizes)}")
    size = sizes[0] if sizes else 1
    matrix = np.full((len(column), size), np.nan, dtype=np.float32)
    matrix[column.is_valid().to_numpy()] = pc.list_flatten(column.drop_null()).to_numpy().reshape(-1, size)
    return matrix


def _read_csv(path: Path) -> tuple[pa.Table, np.ndarray, CodesOrigin | None]:
    header = _header(path)
    spread = [match for match in map(_SPREAD.fullmatch, header) if match]
    prefix = _vectors_name([match[1] for match in spread])
    names = [match[0] for match in spread if match[1] == prefix]
    # What the user's own columns hold stays as it is written.
    kinds = {name: pa.float32() if name in names else pa.string() for name in header}
    table = pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(column_names=unique_names(header), skip_rows=1),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(column_types=kinds, strings_can_be_null=True, null_values=[""]),
    )
    matrix = np.full((len(table), len(names)), np.nan, dtype=np.float32)
    for place, name in enumerate(names):
        matrix[:, place] = table[name].to_numpy()
    return table.drop_columns(names), matrix, None


def _header(path: Path) -> list[str]:
    with pacsv.open_csv(path, read_options=pacsv.ReadOptions(block_size=1 << 24)) as reader:
        return reader.schema.names


def _read_npz(path: Path) -> tuple[pa.Table, np.ndarray, CodesOrigin | None]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    name = _vectors_name([key for key, value in arrays.items() if value.ndim == 2])
    matrix = arrays.pop(name).astype(np.float32)
    columns = {key: pa.array(value) for key, value in arrays.items() if value.shape == (len(matrix),)}
    return pa.table(columns) if columns else _row_numbers(len(matrix)), matrix, None


def _read_npy(path: Path) -> tuple[pa.Table, np.ndarray, CodesOrigin | None]:
    # Mapped, so that a size that the file only claims takes no memory.
    matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    if matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise ValueError(f"the codes are of type {matrix.dtype} and shape {matrix.shape}, expected a matrix")
    return _row_numbers(len(matrix)), np.array(matrix, dtype=np.float32), None


def _row_numbers(count: int) -> pa.Table:
    """What stands for columns where there are none: a table without any would forget how many rows it has."""
    return pa.table({"row": np.arange(1, count + 1)})


def _vectors_name(names: Sequence[str]) -> str:
    found = _added(names, "embedding")
    if found is None:
        raise ValueError("it has no column of codes, called embedding: write it with `molae embed`")
    return found


def _added(names: Sequence[str], name: str) -> str | None:
    """The column that molae added under a name: the one that gives way to all others."""
    found = [each for each in names if re.fullmatch(f"(molae_)*{name}", each)]
    return max(found, key=len, default=None)


_READERS = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".npz": _read_npz,
    ".npy": _read_npy,
}
