from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molae.errors import ConfigError, DataError
from molae.io import Chunk, PartStore, Shard, open_rows
from molae.io.shards import SHARD_KEY

TOTAL = 11
SDF = "{title}\n\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0 0.0 0.0 C   0  0\nM  END\n$$$$\n"


def write_all(folder: Path) -> list[Path]:
    """The same rows in every format."""
    smiles = ["C" * length for length in range(1, TOTAL + 1)]
    names = [f"n{length}" for length in range(1, TOTAL + 1)]
    pairs = list(zip(smiles, names, strict=True))
    (folder / "in.smi").write_text("".join(f"{s} {n}\n" for s, n in pairs))
    (folder / "in.csv").write_text("id,smiles\n" + "".join(f'"{n}","{s}"\n' for s, n in pairs))
    (folder / "in.sdf").write_text("".join(SDF.format(title=name) for name in names))
    (folder / "in.g6").write_text("Bw\n" * TOTAL)
    edges = "".join(f"{name},a,b\n" for name in names)
    (folder / "edges.csv").write_text("graph,source,target\n" + edges)
    table = pa.table({"smiles": smiles, "id": names})
    pq.write_table(table, folder / "in.parquet", row_group_size=4)
    parts = folder / "parts"
    parts.mkdir()
    for number, start in enumerate((0, 5, 6)):
        piece = table.slice(start, (5, 1, TOTAL)[number])
        pq.write_table(piece, parts / f"{number}.parquet", row_group_size=2)
    return [path for path in sorted(folder.iterdir()) if path.name != "parts"] + [parts]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_all(tmp_path_factory.mktemp("inputs"))


def content(chunk: Chunk) -> list[tuple[object, ...]]:
    return [
        (row.number, row.id, row.smiles, row.mol and row.mol.GetNumAtoms(), values)
        for row, values in zip(chunk.rows, chunk.columns.to_pylist(), strict=True)
    ]


@given(size=st.integers(1, 12), count=st.integers(1, TOTAL), data=st.data())
def test_shards_are_chunks_of_the_whole(
    inputs: list[Path], size: int, count: int, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(inputs))
    with open_rows(path, chunk_size=size) as reader:
        whole = [content(chunk) for chunk in reader]
    assert [row[0] for chunk in whole for row in chunk] == list(range(1, TOTAL + 1))
    joined = []
    for number in range(1, count + 1):
        with open_rows(path, chunk_size=size, shard=Shard(number, count)) as reader:
            wanted = []
            for chunk in reader:
                assert content(chunk) in whole
                wanted += content(chunk.cut(reader.wanted(chunk.rows)))
            assert reader.total == len(wanted)
            joined += wanted
    assert joined == [row for chunk in whole for row in chunk]


@given(st.integers(0, 1000), st.integers(1, 50))
def test_places_are_divided_evenly(total: int, count: int) -> None:
    shares = [Shard(number, count).places(total) for number in range(1, count + 1)]
    assert [place for share in shares for place in share] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/3", "", "1.5/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="I/N"):
        Shard.parse(text)


def test_more_shards_than_rows_and_standard_input_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in.smi").write_text("C\nCC\n")
    with pytest.raises(DataError, match="2 rows, too few for 3 shards"):
        open_rows(tmp_path / "in.smi", shard=Shard(1, 3))
    with pytest.raises(DataError, match="standard input cannot be divided"):
        open_rows("-", shard=Shard(1, 2))


def write_part(path: Path, smiles: list[str], shard: str | None = None, **columns: list[object]) -> None:
    table = pa.table({"smiles": smiles, **columns})
    pq.write_table(table.replace_schema_metadata({SHARD_KEY: shard} if shard else {}), path)


def read(folder: Path) -> list[str | None]:
    with open_rows(folder) as reader:
        return [row.smiles for chunk in reader for row in chunk.rows]


def test_shards_are_read_in_their_order_and_all_of_them(tmp_path: Path) -> None:
    for number in range(1, 12):
        write_part(tmp_path / f"part-{number}.parquet", ["C" * number], f"{number}/11")
    assert read(tmp_path) == ["C" * number for number in range(1, 12)]
    (tmp_path / "part-3.parquet").unlink()
    with pytest.raises(DataError, match="every shard of 11 once"):
        read(tmp_path)
    write_part(tmp_path / "part-3.parquet", ["C"], "3/12")
    with pytest.raises(DataError, match="every shard of 12 once"):
        read(tmp_path)


def test_folders_of_parquet(tmp_path: Path) -> None:
    write_part(tmp_path / "b.parquet", ["CC"], x=[1])
    write_part(tmp_path / "a.parquet", ["C"], y=["u"])
    write_part(tmp_path / "_temporary.parquet", ["N"])
    with open_rows(tmp_path) as reader:
        assert reader.total == 2
        rows = [row for chunk in reader for row in chunk.columns.to_pylist()]
    assert rows == [{"smiles": "C", "y": "u", "x": None}, {"smiles": "CC", "y": None, "x": 1}]
    write_part(tmp_path / "c.parquet", ["CCC"], x=["one"])
    with pytest.raises(DataError, match=r"c\.parquet has other columns"):
        read(tmp_path)
    (tmp_path / "c.parquet").write_text("no Parquet")
    with pytest.raises(DataError, match=r"c\.parquet is not a readable Parquet file"):
        read(tmp_path)
    (tmp_path / "c.parquet").unlink()
    (tmp_path / "c.parquet.parts").mkdir()
    with pytest.raises(DataError, match=r"c\.parquet is not finished"):
        read(tmp_path)


def test_another_file_in_a_folder_is_another_input(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_part(folder / "a.parquet", ["C"])

    def interrupted() -> None:
        with PartStore(tmp_path / "out.csv", folder, {}) as store:
            store.write(0, pa.table({"n": [1]}), {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert PartStore(tmp_path / "out.csv", folder, {}, resume=True).finished() == {0: ""}
    write_part(folder / "b.parquet", ["C"])
    with pytest.raises(DataError, match="another input"):
        PartStore(tmp_path / "out.csv", folder, {}, resume=True)
