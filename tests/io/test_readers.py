from __future__ import annotations

import gzip
import io
import itertools
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from molae.errors import DataError
from molae.io import Chunk, Row, open_rows
from molae.io.streams import LINE_LIMIT

SMILES = ["CCO", "c1ccccc1", "C[C@H](F)Cl", "[Na+].[Cl-]"]
NAMES = ["ethanol", "benzene", "chiral one", "salt"]


def read(source: Any, **options: Any) -> tuple[list[Row], pa.Table]:
    with open_rows(source, **options) as reader:
        chunks = list(reader)
    rows = [row for chunk in chunks for row in chunk.rows]
    return rows, pa.concat_tables([chunk.columns for chunk in chunks], promote_options="default")


def kinds(rows: list[Row]) -> list[str | None]:
    return [row.error.kind if row.error else None for row in rows]


def sdf_text(newline: str = "\n") -> str:
    records = []
    for smiles, name in zip(SMILES, NAMES, strict=True):
        mol = Chem.MolFromSmiles(smiles)
        mol.SetProp("_Name", name)
        records.append(Chem.MolToMolBlock(mol) + f">  <source>  (1)\n{smiles}\n\n$$$$\n")
    return "".join(records).replace("\n", newline)


def write_example(path: Path, suffix: str) -> None:
    pairs = list(zip(SMILES, NAMES, strict=True))
    if suffix == ".parquet":
        pq.write_table(pa.table({"smiles": SMILES, "id": NAMES}), path)
    elif suffix == ".sdf":
        path.write_text(sdf_text())
    else:
        separator = {".csv": ",", ".tsv": "\t", ".smi": " ", ".txt": "\t"}[suffix]
        header = [] if suffix == ".smi" else [f"smiles{separator}id"]
        path.write_text("\n".join(header + [separator.join(pair) for pair in pairs]) + "\n")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", [".smi", ".txt", ".csv", ".tsv", ".parquet", ".sdf"])
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str, packed: bool) -> None:
    path = tmp_path / f"in{suffix}"
    write_example(path, suffix)
    if packed:
        path = path.rename(tmp_path / "plain")
        path = Path(str(tmp_path / f"in{suffix}.gz"))
        path.write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    rows, columns = read(path, chunk_size=3)
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert [row.id for row in rows] == NAMES
    if suffix == ".sdf":
        assert [Chem.MolToSmiles(row.mol) for row in rows] == [
            Chem.MolToSmiles(Chem.MolFromSmiles(smiles)) for smiles in SMILES
        ]
        assert columns.to_pydict() == {"name": NAMES, "source": SMILES}
    else:
        assert [row.smiles for row in rows] == SMILES
        assert columns.to_pydict() == {"smiles": SMILES, "id": NAMES}


@pytest.mark.parametrize(
    "content",
    [
        b"CCO ethanol\nCC ethane\n",
        b"smiles,id\nCCO,ethanol\nCC,ethane\n",
        b"id\tSMILES\nethanol\tCCO\nethane\tCC\n",
        b"id;SMILES\nethanol;CCO\nethane;CC\n",
        gzip.compress(b"smiles id\nCCO ethanol\nCC ethane\n", mtime=0),
    ],
)
def test_standard_input_is_recognised(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", stdin)
    rows, _ = read("-")
    assert [(row.smiles, row.id) for row in rows] == [("CCO", "ethanol"), ("CC", "ethane")]
    assert not stdin.buffer.closed


def test_standard_input_may_be_sdf_or_parquet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pq.write_table(pa.table({"smiles": SMILES}), tmp_path / "x.parquet")
    for content in (sdf_text("\r\n").encode(), (tmp_path / "x.parquet").read_bytes()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        rows, _ = read("-")
        assert kinds(rows) == [None] * 4


def test_text_suffix_takes_a_table_for_a_table(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("name\tactivity\tCanonical SMILES\nethanol\t1.0\tCCO\n")
    rows, columns = read(path)
    assert [(row.smiles, row.id) for row in rows] == [("CCO", "ethanol")]
    assert columns["activity"].to_pylist() == ["1.0"]


@pytest.mark.parametrize("header", ["SMILES\n", "smiles id\n", "Canonical_SMILES\tName\n", ""])
def test_smiles_file_header_is_no_row(tmp_path: Path, header: str) -> None:
    path = tmp_path / "x.smi"
    path.write_text(header + "CCO\nCC name with blanks\n# remark\n")
    rows, _ = read(path)
    assert [(row.number, row.smiles, row.id) for row in rows] == [
        (1, "CCO", None),
        (2, "CC", "name with blanks"),
        (3, "#", "remark"),
    ]


def test_cxsmiles_extension_stays_with_the_smiles(tmp_path: Path) -> None:
    path = tmp_path / "x.smi"
    path.write_text("C[C@H](F)Cl |o1:1,r| one\n")
    rows, _ = read(path)
    assert (rows[0].smiles, rows[0].id) == ("C[C@H](F)Cl |o1:1,r|", "one")


def test_bad_lines_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "x.smi"
    long = b"C" * (3 * LINE_LIMIT)
    path.write_bytes(b"CCO\r\n\r\n \t\nC\x00\x01O\n" + long + b"\nCC gr\xfcn\nCCC " + "größe".encode())
    rows, columns = read(path)
    assert kinds(rows) == [None, "empty", "empty", "binary", "too_long", None, None]
    assert [row.number for row in rows] == list(range(1, 8))
    assert [row.id for row in rows[-2:]] == ["grün", "größe"]
    assert columns["smiles"].to_pylist() == ["CCO", None, None, None, None, "CC", "CCC"]


def test_byte_order_mark_and_utf16(tmp_path: Path) -> None:
    path = tmp_path / "x.smi"
    path.write_bytes(b"\xef\xbb\xbfCCO\n")
    assert read(path)[0][0].smiles == "CCO"
    path.write_bytes("CCO\nCC\n".encode("utf-16"))
    assert set(kinds(read(path)[0])) == {"binary"}


@given(st.binary(min_size=1, max_size=400), st.sampled_from([".smi", ".txt", ".sdf", ".csv", ".tsv"]))
def test_junk_never_crashes(tmp_path_factory: pytest.TempPathFactory, junk: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"junk{suffix}"
    path.write_bytes(b"smiles,x\n" * (suffix == ".csv") + b"x\tsmiles\n" * (suffix == ".tsv") + junk)
    try:
        rows, columns = read(path, chunk_size=3)
    except DataError:
        return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len(columns) == len(rows)
    if suffix == ".smi":
        lines = junk.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
        assert len(rows) == len(lines.removesuffix("\n").split("\n"))


@given(
    st.lists(st.sampled_from(["CCO", "", "c1ccccc1 benzene", "\t", "not a smiles"]), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_order_and_numbers_survive_any_chunk_size(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "order.smi"
    path.write_text("\n".join(lines) + "\n")
    rows, columns = read(path, chunk_size=size)
    assert [row.number for row in rows] == list(range(1, len(lines) + 1))
    expected = [line.split()[0] if line.strip() else None for line in lines]
    assert [row.smiles for row in rows] == expected == columns["smiles"].to_pylist()


def test_smiles_column_is_found_by_name(tmp_path: Path) -> None:
    def chosen(header: str, **options: Any) -> str | None:
        path = tmp_path / "x.csv"
        path.write_text(header + "\n" + ",".join("C" * len(header.split(","))) + "\n")
        with open_rows(path, **options) as reader:
            return reader.smiles_column

    assert chosen("mol,CID,pIC50") == "mol"
    assert chosen("canonical_smiles,SMILES,mol") == "SMILES"
    assert chosen("n,Isomeric SMILES") == "Isomeric SMILES"
    assert chosen("n,rdkit_smiles_std") == "rdkit_smiles_std"
    assert chosen("smiles,other", smiles_column="other") == "other"
    with pytest.raises(DataError, match=r"'compound', 'activity'.*--smiles-column"):
        chosen("compound,activity")
    with pytest.raises(DataError, match="which column"):
        chosen("smiles_a,smiles_b")
    with pytest.raises(DataError, match=r"'othr'.*did you mean 'other'"):
        chosen("smiles,other", smiles_column="othr")
    with pytest.raises(DataError, match="'key'"):
        chosen("smiles,other", id_column="key")


def test_smiles_and_sd_files_refuse_other_columns(tmp_path: Path) -> None:
    (tmp_path / "x.smi").write_text("CCO\n")
    (tmp_path / "x.sdf").write_text(sdf_text())
    for name in ("x.smi", "x.sdf"):
        with pytest.raises(DataError):
            open_rows(tmp_path / name, smiles_column="activity")


def test_unusable_inputs_say_why(tmp_path: Path) -> None:
    def refused(name: str, content: bytes | None, match: str) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=match):
            read(tmp_path / name)

    refused("none.smi", None, "no file")
    refused("x.xlsx", b"x", r"'\.xlsx'.*\.smi \.txt \.csv \.tsv \.parquet \.sdf")
    refused("x", b"x", "unknown suffix")
    refused("x.smi", b"", "empty")
    refused("x.smi.gz", gzip.compress(b"", mtime=0), "empty")
    refused("x.csv", b"smiles,id\n", "no rows")
    refused("x.csv", b"\x00\x01\x02,smiles\n", "must name the columns.*binary")
    refused("x.sdf", b"\n \n", "no rows")
    refused("x.parquet", b"no parquet at all", "not a readable Parquet")
    refused("x.smi.gz", gzip.compress(os.urandom(4000))[:-1000], "damaged or truncated")
    (tmp_path / "folder.smi").mkdir()
    refused("folder.smi", None, "folder")


def test_parquet_keeps_types_and_refuses_numbers_as_smiles(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table(
        {
            "smiles": pa.array(["CCO", None, " ", "C\0C"]).dictionary_encode(),
            "id": [7, 8, 9, 10],
            "positions": [[0.0, 1.0], [], None, [2.0]],
        }
    )
    pq.write_table(table, path)
    rows, columns = read(path, chunk_size=2)
    assert kinds(rows) == [None, "empty", "empty", "binary"]
    assert [row.id for row in rows] == ["7", "8", "9", "10"]
    assert columns.to_pydict() == table.to_pydict()
    with pytest.raises(DataError, match="'id' is of type int64"):
        open_rows(path, smiles_column="id")


def test_total_is_exact_for_parquet_and_estimated_for_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"smiles": ["C"] * 10}), tmp_path / "x.parquet")
    with open_rows(tmp_path / "x.parquet") as reader:
        assert reader.total == 10
    (tmp_path / "x.smi").write_text("CCCCCCCC\n" * 50_000)
    with open_rows(tmp_path / "x.smi", chunk_size=5000) as reader:
        assert reader.total is None
        next(iter(reader))
        assert reader.total == pytest.approx(50_000, rel=0.1)


def first_chunk(path: Path) -> Chunk:
    with open_rows(path, chunk_size=10) as reader:
        return next(iter(reader))


@pytest.mark.parametrize(
    ("name", "head", "unit"),
    [
        ("x.smi", "", "CCO name\n"),
        ("x.csv", "smiles,x\n", 'CCO,"a"\n'),
        ("x.csv", "smiles,x\n", 'CCO,"never closed\n'),
        ("x.sdf", sdf_text(), sdf_text()),
        ("x.smi", "CC\n" * 10, "C" * 1000),
        ("x.sdf", sdf_text() * 3, "no record end\n"),
    ],
)
def test_reading_is_lazy_and_memory_bounded(tmp_path: Path, name: str, head: str, unit: str) -> None:
    path = tmp_path / name
    path.write_text(head + unit * (20_000_000 // len(unit)))
    tracemalloc.start()
    try:
        assert len(first_chunk(path).rows) == 10
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_chunks_of_monstrous_rows_end_early(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("smiles,x\n" + f"C,{'y' * 900_000}\n" * 40)
    with open_rows(path) as reader:
        assert max(len(chunk.rows) for chunk in reader) < 25


def real_files() -> list[tuple[str, int, str | None]]:
    return [
        ("smiles/zinc250k_test.smi.gz", 5000, "smiles"),
        ("rdkit_testdata/first_5K.smi.gz", 4999, "smiles"),
        ("moleculenet/HIV.csv.gz", 41127, "smiles"),
        ("moleculenet/bace.csv", 1513, "mol"),
        ("rdkit_testdata/cdk2.sdf.gz", 47, None),
    ]


@pytest.mark.parametrize(("name", "count", "column"), real_files())
def test_real_files(name: str, count: int, column: str | None) -> None:
    path = Path(os.environ.get("MOLAE_DATA", "../shared/data")) / name
    if not path.exists():
        pytest.skip("development data not present")
    with open_rows(path) as reader:
        rows = list(itertools.chain.from_iterable(chunk.rows for chunk in reader))
    assert reader.smiles_column == column
    assert (len(rows), set(kinds(rows))) == (count, {None})


def test_parquet_text_that_is_not_utf8_is_damage(tmp_path: Path) -> None:
    bad = pa.array([b"C", b"C\x96"], pa.binary()).cast(pa.string(), safe=False)
    with pq.ParquetWriter(tmp_path / "in.parquet", pa.schema({"smiles": pa.string()})) as writer:
        writer.write_table(pa.table({"smiles": pa.Array.from_buffers(pa.string(), 2, bad.buffers())}))
    with (
        open_rows(tmp_path / "in.parquet") as reader,
        pytest.raises(DataError, match=r"in\.parquet is damaged after row 0.*UTF8"),
    ):
        list(reader)
