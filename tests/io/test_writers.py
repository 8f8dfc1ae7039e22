from __future__ import annotations

import csv
import datetime
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molae.errors import DataError
from molae.io import ARRAY_SUFFIXES, TABLE_SUFFIXES, atomic_path, matrix_column
from molae.io.writers import column_matrix, output_suffix, write_table

VECTORS = np.array([[0.1, -2.0, 3.5], [7.0, 7.0, 7.0], [1e-9, 1 / 3, 4.0]], dtype=np.float32)
VALID = np.array([True, False, True])
TABLE = pa.table(
    {
        "smiles": ["CCO", None, "größer"],
        "count": [1, 2, None],
        "embedding": matrix_column(VECTORS, VALID),
    }
)
EXPECTED = np.where(VALID[:, None], VECTORS, np.nan)


def write(path: Path, table: pa.Table) -> Path:
    """Writes the table in two pieces."""
    suffix = output_suffix(path, TABLE_SUFFIXES + ARRAY_SUFFIXES)
    write_table(path, suffix, table.schema, lambda: [table.slice(0, 1), table.slice(1)])
    return path


def test_vectors_survive_as_a_column() -> None:
    np.testing.assert_array_equal(column_matrix(TABLE["embedding"].combine_chunks()), EXPECTED)
    assert TABLE["embedding"].null_count == 1


def test_parquet(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", TABLE)
    assert pq.read_table(path).equals(TABLE)
    assert pq.read_schema(path).field("embedding").type == pa.list_(pa.float32(), 3)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_csv(tmp_path: Path, name: str) -> None:
    content = write(tmp_path / name, TABLE).read_bytes()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    header, *lines = csv.reader(text.splitlines())
    assert header == ["smiles", "count", "embedding_0", "embedding_1", "embedding_2"]
    assert lines[0] == ["CCO", "1", "0.1", "-2", "3.5"]
    assert lines[1] == ["", "2", "", "", ""]
    np.testing.assert_array_equal(np.array(lines[2][2:], dtype=np.float32), VECTORS[2])


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=6))
def test_csv_quotes_what_needs_it(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = write(
        tmp_path_factory.getbasetemp() / "q.csv", pa.table({'a "b", c': texts, "n": [1] * len(texts)})
    )
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [['a "b", c', "n"], *([text, "1"] for text in texts)]


def test_csv_takes_any_type(tmp_path: Path) -> None:
    table = pa.table(
        {
            "list": [[1, 2], None],
            "struct": [{"a": 1}, {"a": None}],
            "flag": [True, False],
            "day": [datetime.date(2020, 1, 2), None],
            "span": [datetime.timedelta(seconds=5), None],
            "bytes": [b"\xff", b"x"],
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "nothing": pa.nulls(2),
        }
    )
    with write(tmp_path / "x.csv", table).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["list"] for row in rows] == ["[1, 2]", ""]
    assert [row["flag"] for row in rows] == ["true", "false"]
    assert [row["day"] for row in rows] == ["2020-01-02", ""]
    assert [row["kind"] for row in rows] == ["a", "b"]


def test_vectors_of_the_users_keep_their_digits(tmp_path: Path) -> None:
    own = pa.array([[46.0418648119, 123456789.123]], pa.list_(pa.float64(), 2))
    table = pa.table({"mass": own})
    write_table(tmp_path / "t.csv", ".csv", table.schema, lambda: [table])
    assert (tmp_path / "t.csv").read_text() == 'mass\n"[46.0418648119, 123456789.123]"\n'


def test_npy(tmp_path: Path) -> None:
    path = write(tmp_path / "x.npy", TABLE)
    array = np.load(path, allow_pickle=False, mmap_mode="r")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, EXPECTED)
    with pytest.raises(DataError, match="one column of vectors, there are 0"):
        write(tmp_path / "y.npy", TABLE.drop_columns("embedding"))
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]


def test_npz(tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", TABLE)
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays) == ["count", "embedding", "smiles"]
        np.testing.assert_array_equal(arrays["embedding"], EXPECTED)
        np.testing.assert_array_equal(arrays["count"], [1, 2, np.nan])
        assert arrays["smiles"].tolist() == ["CCO", "", "größer"]


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES + ARRAY_SUFFIXES)
def test_same_tables_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    assert (
        write(tmp_path / f"a{suffix}", TABLE).read_bytes()
        == write(tmp_path / f"b{suffix}", TABLE).read_bytes()
    )


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES + ARRAY_SUFFIXES)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failing_half_way_leaves_the_old_file(
    tmp_path: Path, suffix: str, error: type[BaseException]
) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_text("old")

    def tables() -> Iterator[pa.Table]:
        yield TABLE
        raise error

    with pytest.raises(error):
        write_table(path, suffix, TABLE.schema, tables)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_path_renames_on_success(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x.json") as temporary:
        temporary.write_text("{}")
        assert not (tmp_path / "x.json").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_unknown_suffix_names_the_valid_ones() -> None:
    assert output_suffix(Path("A.CSV.GZ"), TABLE_SUFFIXES) == ".csv.gz"
    with pytest.raises(DataError, match=r"\.parquet \.csv \.csv\.gz$"):
        output_suffix(Path("x.npy"), TABLE_SUFFIXES)
