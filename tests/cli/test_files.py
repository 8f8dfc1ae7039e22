from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from smallmodel import CONFIG, KNOWN
from typer.testing import CliRunner

import molae
from molae.apps import files
from molae.cli import app

Run = Callable[..., Any]

ROWS = [
    "CO methanol",
    "bad junk",
    "",
    "[Na+].CC(=O)[O-] acetate",
    "CCN",
    "[He] helium",
    "\x00\x01",
    "C#N x y",
]
OK = [True, False, False, True, True, False, False, True]


@pytest.fixture
def run(model_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a verb with the small model, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    # Chunks so small that every file has several.
    monkeypatch.setattr("molae.apps.molecules.CHUNK_SIZE", 3)

    def run(*arguments: object, input: str | None = None) -> Any:
        options = ["--model", str(model_path), "--device", "cpu"]
        return CliRunner().invoke(app, [*map(str, arguments), *options], input=input)

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    (tmp_path / "in.smi").write_text("\n".join(ROWS) + "\n")
    return Path("in.smi")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_bad_rows_keep_their_place(run: Run, rows: Path, tmp_path: Path, model_path: Path) -> None:
    result = run("embed", rows, "-o", "out.parquet")
    assert result.exit_code == 0, result.output
    table = pq.read_table("out.parquet")
    assert table.column_names == ["smiles", "id", "status", "error", "embedding"]
    assert table["status"].to_pylist() == ["ok" if ok else "failed" for ok in OK]
    assert [error is None for error in table["error"].to_pylist()] == OK
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), CONFIG.code_size)
    vectors = np.array([v for v in table["embedding"].to_pylist() if v is not None])
    expected = molae.embed(["CO", "CC(=O)O", "CCN", "C#N"], model_path)
    np.testing.assert_allclose(vectors[[0, 2, 3]], expected[[0, 2, 3]], atol=1e-4)
    assert table["id"].to_pylist()[:2] == ["methanol", "junk"]
    assert result.stdout == ""
    assert "4 of 8 rows ok; 4 failed" in result.stderr
    assert "unparsable 1" in result.stderr
    assert "fragments removed: 1" in result.stderr
    assert "column 'smiles'" in result.stderr
    assert names(tmp_path) == {"in.smi", "out.parquet"}


def test_failed_rows_may_be_dropped(run: Run, rows: Path) -> None:
    result = run("embed", rows, "-o", "out.parquet", "--on-error", "drop")
    assert result.exit_code == 0
    assert "4 failed" in result.stderr
    table = pq.read_table("out.parquet")
    assert table["smiles"].to_pylist() == ["CO", "[Na+].CC(=O)[O-]", "CCN", "C#N"]
    assert table["embedding"].null_count == 0


def test_or_be_the_end(run: Run, rows: Path) -> None:
    result = run("embed", rows, "-o", "out.parquet", "--on-error", "fail")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("molae: in.smi, row 2: not a valid SMILES")
    assert "Traceback" not in result.output
    # The failure is in the first chunk: nothing is left behind.
    assert names(Path()) == {"in.smi"}


def test_what_was_finished_before_the_failure_is_no_loss(run: Run) -> None:
    Path("in.smi").write_text("CO\nCCN\nC#N\nbad\n")
    failing = ("embed", "in.smi", "-o", "out.parquet", "--on-error", "fail")
    result = run(*failing)
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("molae: in.smi, row 4: not a valid SMILES")
    assert "stay in out.parquet.parts: --on-error keep --resume goes on" in last
    result = run(*failing[:-1], "keep", "--resume")
    assert result.exit_code == 0
    assert "3 of 4 rows ok; 1 failed (unparsable 1); 3 rows from the interrupted run" in result.stderr
    assert names(Path()) == {"in.smi", "out.parquet"}


def test_a_damaged_input_leaves_no_output(run: Run) -> None:
    # Long enough for several chunks to be read before the damage shows.
    lines = "".join(f"C{'O' * (i % 2)} {i * 7919 % 10007}\n" for i in range(4000))
    packed = gzip.compress(lines.encode())
    Path("in.smi.gz").write_bytes(packed[: len(packed) // 2])
    result = run("embed", "in.smi.gz", "-o", "out.parquet")
    assert result.exit_code == 2
    assert "in.smi.gz is damaged or truncated" in result.stderr.splitlines()[-1]
    # What was done stays, for a run that goes on when the file has been repaired.
    assert names(Path()) <= {"in.smi.gz", "out.parquet.parts"}


def test_arrays_hold_the_same_vectors(run: Run, rows: Path) -> None:
    for suffix in ("parquet", "csv", "npy", "npz"):
        assert run("embed", rows, "-o", f"out.{suffix}").exit_code == 0
    column = pq.read_table("out.parquet")["embedding"].to_pylist()
    expected = np.array([v or [np.nan] * CONFIG.code_size for v in column], dtype=np.float32)
    np.testing.assert_array_equal(np.load("out.npy"), expected)
    np.testing.assert_array_equal(np.load("out.npz")["embedding"], expected)
    assert Path("out.csv").read_text().count("\n") == len(ROWS) + 1


def test_columns_are_kept_and_none_overwritten(run: Run) -> None:
    table = pa.table({"status": [1, 2], "Canonical SMILES": ["CO", "C#N"], "embedding": ["a", "b"]})
    pq.write_table(table, "in.parquet")
    assert run("embed", "in.parquet", "-o", "out.parquet").exit_code == 0
    out = pq.read_table("out.parquet")
    assert out.select(table.column_names).equals(table)
    assert out.column_names[3:] == ["molae_status", "error", "molae_embedding"]


def test_an_interrupted_run_goes_on(run: Run, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("embed", rows, "-o", "whole.parquet")
    assert whole.exit_code == 0
    original, calls = files.embed_read, []

    def interrupted_at(call: int) -> None:
        def embed_read(*arguments: object) -> object:
            calls.append(1)
            if len(calls) == call:
                raise KeyboardInterrupt
            return original(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(files, "embed_read", embed_read)

    interrupted_at(2)
    result = run("embed", rows, "-o", "out.parquet")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "molae: interrupted; the same command with --resume goes on"
    assert not Path("out.parquet").exists()
    calls.clear()
    interrupted_at(99)
    refused = run("embed", rows, "-o", "out.parquet", "--resume", "--seed", "1")
    assert refused.exit_code == 2
    assert "made with another seed" in refused.stderr
    result = run("embed", rows, "-o", "out.parquet", "--resume")
    assert result.exit_code == 0
    assert len(calls) == 2
    counts = "4 of 8 rows ok; 4 failed (unparsable 1, empty 1, element 1, binary 1); fragments removed: 1"
    assert counts in whole.stderr
    assert f"{counts}; 3 rows from the interrupted run" in result.stderr
    assert Path("out.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    assert not Path("out.parquet.parts").exists()


def test_failures_of_the_interrupted_run_are_failures(
    run: Run, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = files.embed_read, []

    def interrupted(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "embed_read", interrupted)
    assert run("embed", rows, "-o", "out.parquet").exit_code == 130
    result = run("embed", rows, "-o", "out.parquet", "--resume", "--on-error", "fail")
    assert result.exit_code == 1
    assert "in.smi, row 2" in result.stderr.splitlines()[-1]


def test_the_same_command_gives_the_same_bytes(run: Run, rows: Path) -> None:
    for verb in ("embed", "reconstruct"):
        for name in ("a.parquet", "b.parquet"):
            assert run(verb, rows, "-o", name, "-q").exit_code == 0
        assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


def test_standard_input_is_read(run: Run) -> None:
    assert run("embed", "-", "-o", "out.npy", input="CO\nCCN\n").exit_code == 0
    assert np.isfinite(np.load("out.npy")).all(axis=1).tolist() == [True, True]
    refused = run("embed", "-", "-o", "out.npy", "--resume", input="CO\n")
    assert refused.exit_code == 2
    assert "standard input cannot be resumed" in refused.stderr


def test_a_rotated_sd_file_gives_the_same_vectors(run: Run) -> None:
    for name, columns in (("a.sdf", [0, 1, 2]), ("b.sdf", [1, 2, 0])):
        with Chem.SDWriter(name) as writer:
            for smiles in KNOWN:
                mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
                rdDistGeom.EmbedMolecule(mol, randomSeed=2)
                mol.GetConformer().SetPositions(mol.GetConformer().GetPositions()[:, columns] + columns[0])
                writer.write(mol)
        assert run("embed", name, "-o", f"{name}.npy").exit_code == 0
    # Positions in SD files have four digits.
    np.testing.assert_allclose(np.load("a.sdf.npy"), np.load("b.sdf.npy"), atol=5e-3)


def test_reconstruction_is_written(run: Run) -> None:
    Path("in.smi").write_text("\n".join([*KNOWN, "bad"]) + "\n")
    result = run("reconstruct", "in.smi", "-o", "out.parquet")
    assert result.exit_code == 0, result.output
    table = pq.read_table("out.parquet")
    assert table.column_names[-5:] == ["status", "error", "reconstructed_smiles", "exact", "rmsd"]
    canonical = [Chem.CanonSmiles(smiles) for smiles in KNOWN]
    assert table["reconstructed_smiles"].to_pylist() == [*canonical, None]
    assert table["exact"].to_pylist() == [True] * len(KNOWN) + [None]
    assert max(table["rmsd"].to_pylist()[:-1]) < 0.3
    assert table["rmsd"].to_pylist()[-1] is None


def test_nothing_that_succeeds_is_a_failure(run: Run) -> None:
    Path("in.smi").write_text("bad\n[He]\n")
    result = run("embed", "in.smi", "-o", "out.parquet")
    assert result.exit_code == 1
    assert "0 of 2 rows ok" in result.stderr
    assert pq.read_table("out.parquet").num_rows == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "in.smi"), "--output"),
        (("embed", "in.smi", "-o", "out.xyz"), "cannot write this suffix"),
        (("embed", "no.smi", "-o", "out.parquet"), "there is no file no.smi"),
        (("embed", "in.pdf", "-o", "out.parquet"), "unknown suffix"),
        (("embed", "in.csv", "-o", "out.parquet", "-s", "smile"), "did you mean 'smiles'?"),
        (("embed", "in.smi", "-o", "no/out.parquet"), "there is no folder no"),
        (("embed", "in.smi", "-o", "in.csv", "--on-error", "ignore"), "keep"),
        (("reconstruct", "in.smi", "-o", "out.npy"), "cannot write this suffix"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    Path("in.smi").write_text("CO\n")
    Path("in.csv").write_text("smiles\nCO\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert names(tmp_path) == {"in.smi", "in.csv"}


def test_an_unknown_model_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["embed", "x.smi", "-o", str(tmp_path / "x.npy"), "--model", "nosuch"])
    assert result.exit_code == 2
    assert "no model 'nosuch'" in result.stderr


def test_quiet_and_verbose(run: Run, rows: Path) -> None:
    assert run("embed", rows, "-o", "out.npy", "-q").stderr == ""
    assert "row 4: fragments removed: [Na+]" in run("embed", rows, "-o", "out.npy", "-v").stderr
