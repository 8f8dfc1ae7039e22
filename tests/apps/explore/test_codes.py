from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from smallmodel import KNOWN

import molae
from molae.apps.explore.codes import CODES_SUFFIXES, holds_codes, read_codes
from molae.apps.files import embed_file
from molae.apps.rows import Source
from molae.errors import DataError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = [f'"{smiles}",m{number},0{number}' for number, smiles in enumerate([*KNOWN[:3], "bad"])]
    path = tmp_path / "in.csv"
    path.write_text("\n".join(["smiles,id,status", *lines]) + "\n")
    return path


@pytest.mark.parametrize("suffix", [each for each in CODES_SUFFIXES if each != ".npy"])
def test_what_embed_writes_is_read(table: Path, model_path: Path, suffix: str) -> None:
    path = table.with_name(f"codes{suffix}")
    embed_file(Source(table, seed=3), path, model_path)
    assert holds_codes(path)
    assert not holds_codes(table)
    codes = read_codes(path)
    expected = molae.embed(list(KNOWN[:3]), model_path, seed=3)
    np.testing.assert_allclose(codes.vectors[:3], expected, atol=1e-6)
    assert codes.valid.tolist() == [True, True, True, False]
    assert codes.texts("smiles") == [*KNOWN[:3], "bad"]
    # The user's own column stays, and stays text.
    assert codes.texts("status") == ["00", "01", "02", "03"]
    assert (codes.smiles_column, codes.id_column) == ("smiles", "id")
    assert not {"molae_status", "error", "embedding"} & set(codes.columns.column_names)
    if suffix == ".parquet":
        assert codes.origin is not None
        assert codes.origin.seed == 3
        assert codes.origin.model == str(model_path.resolve())
        assert json.loads(pq.read_schema(path).metadata[b"molae"])["weights_sha256"]
    else:
        assert codes.origin is None
    some = codes.take(np.array([2, 0]))
    assert (some.rows.tolist(), some.texts("id")) == ([3, 1], ["m2", "m0"])


def test_an_array_alone_is_read(table: Path, model_path: Path) -> None:
    path = table.with_name("codes.npy")
    embed_file(Source(table, seed=3), path, model_path)
    assert holds_codes(path)
    codes = read_codes(path)
    np.testing.assert_array_equal(codes.vectors, np.load(path))
    assert (codes.smiles_column, codes.origin) == (None, None)
    assert codes.texts("row") == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "shape \\(3,\\), expected a matrix"),
        (np.zeros((2, 2), dtype=int), "type int64"),
        (np.array([[{}]]), "codes.npy: "),
    ],
)
def test_arrays_that_hold_no_codes_are_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "codes.npy", array)
    with pytest.raises(DataError, match=message):
        read_codes(tmp_path / "codes.npy")


def test_a_size_that_an_array_only_claims_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "codes.npy"
    np.save(path, np.zeros((10, 10)))
    path.write_bytes(path.read_bytes().replace(b"(10, 10)", b"(10, 1" + b"0" * 14 + b")", 1))
    with pytest.raises(DataError, match=r"codes\.npy"):
        read_codes(path)


def test_lists_of_other_programs_are_read(tmp_path: Path) -> None:
    column = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64()))
    pq.write_table(pa.table({"embedding": column, "x": [1, 2, 3]}), tmp_path / "a.parquet")
    codes = read_codes(tmp_path / "a.parquet")
    np.testing.assert_array_equal(codes.vectors, np.float32([[1, 2], [np.nan, np.nan], [3, 4]]))
    assert (codes.smiles_column, codes.id_column, codes.origin) == (None, None, None)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1.0], [1.0, 2.0]]), "differ in length"),
        (pa.array([1.0, 2.0]), "expected lists"),
        (pa.array([None, None], pa.list_(pa.float32(), 2)), "no row has a code"),
    ],
)
def test_codes_that_cannot_be_used_are_refused(tmp_path: Path, column: pa.Array, message: str) -> None:
    pq.write_table(pa.table({"embedding": column}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        read_codes(tmp_path / "a.parquet")


def test_files_without_codes_are_refused(table: Path) -> None:
    with pytest.raises(DataError, match="no column of codes"):
        read_codes(table)
    with pytest.raises(DataError, match="no file"):
        read_codes(table.with_name("no.parquet"))
    with pytest.raises(DataError, match="are read from"):
        read_codes(table.with_name("in.smi"))
    broken = table.with_name("broken.parquet")
    broken.write_bytes(b"PAR1 nonsense")
    assert not holds_codes(broken)
    with pytest.raises(DataError, match="not a readable"):
        read_codes(broken)
