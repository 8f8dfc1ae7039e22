from __future__ import annotations

import errno
import hashlib
import pickle
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molae.errors import DamagedError, DataError, OutputError, RowError
from molae.io import ARRAY_SUFFIXES, TABLE_SUFFIXES, PartStore, matrix_column, open_rows, outcome

OPTIONS = {"model": "m", "chunk_size": 2}
ALL = TABLE_SUFFIXES + ARRAY_SUFFIXES


def embed(source: Path, output: Path, stop_after: int | None = None, **options: Any) -> int:
    """Stands for the application: writes chunk by chunk, stops where told, returns how many it computed."""
    store = PartStore(output, source, options.pop("options", OPTIONS), suffixes=ALL, **options)
    computed = 0
    finished = store.finished()
    with open_rows(source, chunk_size=2) as reader, store:
        for index, chunk in enumerate(reader):
            if index in finished:
                continue
            if computed == stop_after:
                raise KeyboardInterrupt
            errors = [row.error for row in chunk.rows]
            valid = np.array([error is None for error in errors])
            vectors = np.array([[row.number, len(row.smiles or "")] for row in chunk.rows], dtype=np.float32)
            store.write(index, chunk.columns, outcome(errors) | {"embedding": matrix_column(vectors, valid)})
            computed += 1
        store.finish()
    return computed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("smiles,x\nC,1\n,2\nCC,3\nCCC\nCO,5\n")
    return path


def test_columns_and_failures(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out.parquet"
    assert embed(source, output) == 3
    table = pq.read_table(output)
    assert table.column_names == ["smiles", "x", "status", "error", "embedding"]
    assert table["smiles"].to_pylist() == ["C", "", "CC", "CCC", "CO"]
    assert table["status"].to_pylist() == ["ok", "failed", "ok", "failed", "ok"]
    assert table["error"].to_pylist()[3] == "1 fields, the header has 2"
    assert table["embedding"].to_pylist() == [[1, 1], None, [3, 2], None, [5, 2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.parquet"]


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_resumed_equals_uninterrupted(tmp_path: Path, source: Path, suffix: str, stop_after: int) -> None:
    output = tmp_path / f"out{suffix}"
    with pytest.raises(KeyboardInterrupt):
        embed(source, output, stop_after=stop_after)
    assert not output.exists()
    assert embed(source, output, resume=True) == 3 - stop_after
    embed(source, tmp_path / f"whole{suffix}")
    assert output.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_without_resume_earlier_parts_are_discarded(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        embed(source, output, stop_after=2, options={"model": "other"})
    assert embed(source, output) == 3


def test_resuming_something_else_is_refused(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        embed(source, output, stop_after=1)
    with pytest.raises(DataError, match=r"another chunk_size, model:.*--resume"):
        embed(source, output, resume=True, options={"model": "other", "chunk_size": 3})
    source.write_text(source.read_text() + "N,6\n")
    with pytest.raises(DataError, match="another input"):
        embed(source, output, resume=True)
    assert (tmp_path / "out.csv.parts").exists()


def test_remarks_are_for_those_who_resume_and_not_in_the_output(tmp_path: Path) -> None:
    for name, remarks in (("a.parquet", {"failed": {"empty": 1}}), ("b.parquet", None)):
        with PartStore(tmp_path / name, "-", OPTIONS) as store:
            store.write(0, pa.table({"n": [1]}), outcome([None]), remarks)
            assert store.remarks(0) == (remarks or {})
            store.finish()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize(
    ("error", "finished", "piped", "stays"),
    [
        (KeyboardInterrupt(), True, False, True),
        (OSError("disk full"), True, False, True),
        (RowError("no good"), True, False, True),
        (RowError("no good"), False, False, False),
        (KeyboardInterrupt(), True, True, False),
        (DataError("wrong column"), True, False, False),
        (DamagedError("cut off"), True, False, True),
        (DamagedError("cut off"), False, False, False),
    ],
)
def test_parts_stay_only_where_one_can_go_on_from_them(
    tmp_path: Path, source: Path, error: BaseException, finished: bool, piped: bool, stays: bool
) -> None:
    def stopped() -> None:
        with PartStore(tmp_path / "out.csv", "-" if piped else source, OPTIONS) as store:
            if finished:
                store.write(0, pa.table({"n": [1]}), outcome([None]))
            raise error

    with pytest.raises(type(error)):
        stopped()
    assert (tmp_path / "out.csv.parts").exists() == stays


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "out.csv.parts"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="in the way"):
        embed(source, tmp_path / "out.csv")
    assert (folder / "thesis.txt").read_text() == "precious"


def test_impossible_outputs_are_refused_at_once(tmp_path: Path, source: Path) -> None:
    def refused(match: str, output: Path, source: Path | str = source, **options: Any) -> None:
        with pytest.raises(DataError, match=match):
            PartStore(output, source, OPTIONS, **options)

    (tmp_path / "folder.csv").mkdir()
    refused("expected one of", tmp_path / "out.npy")
    refused("no folder", tmp_path / "none" / "out.csv")
    refused("is a folder", tmp_path / "folder.csv")
    refused("input itself", source)
    refused("cannot be resumed", tmp_path / "out.csv", source="-", resume=True)
    refused("cannot read", tmp_path / "out.csv", source=tmp_path / "none.smi")


def test_no_input_column_is_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    store = PartStore(output, "-", OPTIONS)
    added = outcome([None]) | {"embedding": matrix_column(np.ones((1, 1)), np.array([True]))}
    # As from an SD file: the clashing properties turn up only in the second chunk.
    store.write(0, pa.table({"name": ["a"]}), added)
    store.write(
        1, pa.table({"name": ["b"], "status": ["mine"], "molae_status": ["x"], "embedding_0": ["9"]}), added
    )
    store.finish()
    assert output.read_text().splitlines() == [
        "name,status,molae_status,embedding_0,molae_molae_status,error,molae_embedding_0",
        "a,,,,ok,,1",
        "b,mine,x,9,ok,,1",
    ]


@pytest.mark.parametrize("folder", ["plain", "key=value"])
def test_final_table_has_only_the_columns_written(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    output = tmp_path / folder / "out.parquet"
    store = PartStore(output, "-", OPTIONS)
    store.write(0, pa.table({"smiles": ["C"]}), outcome([RowError("no good")]))
    store.finish()
    with pq.ParquetFile(output) as file:
        assert file.read().to_pydict() == {"smiles": ["C"], "status": ["failed"], "error": ["no good"]}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_any_finished_chunks_join_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], first_pass: set[int]
) -> None:
    output = tmp_path_factory.getbasetemp() / "joined.parquet"
    starts = np.cumsum([0, *sizes])
    store = PartStore(output, "-", OPTIONS)
    for index in sorted(range(len(sizes)), key=lambda index: index not in first_pass):
        numbers = list(range(starts[index], starts[index + 1]))
        store.write(index, pa.table({"n": pa.array(numbers, pa.int64())}), outcome([None] * len(numbers)))
    store.finish()
    assert pq.read_table(output)["n"].to_pylist() == list(range(starts[-1]))


def test_a_repaired_input_goes_on_where_its_chunks_are_the_same(tmp_path: Path) -> None:
    output, source = tmp_path / "out.csv", tmp_path / "in.smi"
    source.write_text("damaged")

    def damaged() -> None:
        with PartStore(output, source, OPTIONS) as store:
            for index, content in enumerate(("same", "other", "beyond")):
                store.write(index, pa.table({"n": [index]}), {}, content=content)
            raise DamagedError("cut off")

    with pytest.raises(DamagedError):
        damaged()
    source.write_text("repaired")
    with pytest.raises(DataError, match="another model"):
        PartStore(output, source, {**OPTIONS, "model": "other"}, resume=True)
    with PartStore(output, source, OPTIONS, resume=True) as store:
        assert store.finished() == {0: "same", 1: "other", 2: "beyond"}
        store.write(1, pa.table({"n": [10]}), {}, content="repaired")
        store.finish(2)
    assert output.read_text() == "n\n0\n10\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.smi", "out.csv"]


def test_parts_without_checksums_are_made_again(tmp_path: Path) -> None:
    source = tmp_path / "in.smi"
    source.write_text("C\nCC\nCCC\nCCCC\n")
    with pytest.raises(KeyboardInterrupt):
        embed(source, tmp_path / "out.parquet", stop_after=1)
    (part,) = (tmp_path / "out.parquet.parts").glob("*.arrows")
    with pa.ipc.open_stream(part.read_bytes()) as stream:
        table = stream.read_all().replace_schema_metadata(None)
    with pa.ipc.new_stream(part, table.schema) as stream:
        stream.write_table(table)
    assert embed(source, tmp_path / "out.parquet", resume=True) == 2


def test_a_chunk_may_have_new_columns_alone(tmp_path: Path, source: Path) -> None:
    # A table without columns that was sent from another process has forgotten how many rows it had.
    with PartStore(tmp_path / "out.csv", source, OPTIONS) as store:
        store.write(0, pickle.loads(pickle.dumps(pa.table({"n": [1]}).select([]))), outcome([None]))
        store.finish()
    assert (tmp_path / "out.csv").read_text() == "status,error\nok,\n"


def test_a_column_may_have_several_dictionaries(tmp_path: Path) -> None:
    # As one of a Parquet file with several groups of rows has.
    column = pa.chunked_array([pa.array([text]).dictionary_encode() for text in ("a", "b")])
    with PartStore(tmp_path / "out.parquet", "-", OPTIONS) as store:
        store.write(0, pa.table({"kind": column}), {})
        store.write(1, pa.table({"kind": column}), {})
        store.finish()
    with pq.ParquetFile(tmp_path / "out.parquet") as file:
        assert file.read().to_pydict() == {"kind": ["a", "b", "a", "b"]}


def test_what_killed_runs_left_is_swept(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out.csv"
    for left in (
        ".out.csv.99.tmp",
        ".out.csv.parts.99.tmp/00000000.arrows",
        "out.csv.parts/.fingerprint.json.9.tmp",
    ):
        (tmp_path / left).parent.mkdir(exist_ok=True)
        (tmp_path / left).write_text("half")
    (tmp_path / ".out.csv.mine.tmp").write_text("not a temporary file of molae")
    assert embed(source, output, resume=True) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.csv.mine.tmp", "in.csv", "out.csv"]


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on files here")
@pytest.mark.parametrize("at", ["part", "end"])
def test_where_nothing_can_be_written_earlier_work_stays(tmp_path: Path, source: Path, at: str) -> None:
    """Real errors of the system: files above a limit are refused as those on a full disk are."""
    output = tmp_path / "out.csv"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def run(resume: bool) -> None:
        with PartStore(output, source, OPTIONS, resume) as store:
            finished = store.finished()
            for index in range(30):
                if index not in finished:
                    count = 2000 if (index, at) == (3, "part") else 100
                    texts = [hashlib.sha512(f"{index} {k}".encode()).hexdigest() for k in range(count)]
                    store.write(index, pa.table({"n": texts}), {})
            store.finish()

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*out\.csv: .*too large.*--resume goes on"):
            run(resume=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv.parts"]
    assert len(list((tmp_path / "out.csv.parts").glob("*.arrows"))) == (3 if at == "part" else 30)
    run(resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_folders_that_must_not_be_written_to_are_refused(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match=r"cannot write to .*: Read-only file system"):
        PartStore(tmp_path / "out.csv", source, OPTIONS)
