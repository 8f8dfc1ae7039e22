from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from typer.testing import CliRunner

from molae.apps.conformers import prepare as app_prepare
from molae.apps.conformers import recipe
from molae.chem.etkdg import sample_etkdg
from molae.chem.gfn2 import HARTREE
from molae.chem.heavy import rmsd_matrix
from molae.chem.isomers import isomeric_smiles, with_positions
from molae.cli import app
from molae.errors import RowError
from molae.io.ensembles import StoredEnsemble, read_ensembles

ROWS = ["CCCCO butanol", "bad junk", "C[C@H](O)[C@@H](N)CC alcohol", "C/C=C/CO", "CC(F)Cl open"]


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["prepare", *map(str, arguments)])
    return result.exit_code, result.stderr


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(app_prepare._CHUNK_SIZE, "mmff", 2)
    Path("in.smi").write_text("\n".join(ROWS) + "\n")
    return Path("in.smi")


def read(path: str) -> dict[int, StoredEnsemble]:
    return {each.row: each for each in read_ensembles(path)}


def split(mol: Chem.Mol) -> list[Chem.Mol]:
    return [with_positions(mol, each.GetPositions()[None]) for each in mol.GetConformers()]


def full(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def save_records(path: Path, mols: list[tuple[Chem.Mol, str, float]]) -> None:
    with Chem.SDWriter(str(path)) as writer:
        for mol, name, energy in mols:
            mol.SetProp("_Name", name)
            mol.SetProp("E_x_Eh", str(energy))
            writer.write(mol)


def test_ensembles_keep_stereo_and_hold_distinct_conformers_by_energy(rows: Path) -> None:
    code, err = invoke(rows, "-n", 8, "-o", "out.parquet")
    assert code == 0
    assert "out.parquet: 4 of 5 rows ok; 1 failed (unparsable 1); stereo left open: 1" in err
    assert pq.read_table("out.parquet")["status"].to_pylist() == ["ok", "failed", "ok", "ok", "ok"]
    found = read("out.parquet")
    assert [found[1].id, found[3].id, found[4].id] == ["butanol", "alcohol", None]
    for row in (1, 3, 4):
        ensemble = found[row]
        assert (ensemble.level, ensemble.seed) == ("MMFF94s", 0)
        conformers = split(ensemble.mol)
        assert {isomeric_smiles(each) for each in conformers} == {Chem.CanonSmiles(ROWS[row - 1].split()[0])}
        assert ensemble.energies[0] == 0
        assert (np.diff(ensemble.energies) >= 0).all()
        assert ensemble.energies.max() <= 10
        apart = rmsd_matrix(conformers, conformers) + np.eye(len(conformers))
        assert apart.min() >= 0.3 - 0.002
    assert len(found[1].positions) > 2


def test_a_model_makes_the_conformers_that_are_relaxed(rows: Path) -> None:
    rows.write_text("OCCNC(=O)c1ccccc1\n")
    assert invoke(rows, "-n", 6, "-o", "a.parquet")[0] == 0
    assert invoke(rows, "-n", 6, "--model", "conformer", "-o", "b.parquet")[0] == 0
    by_etkdg, by_model = read("a.parquet")[1], read("b.parquet")[1]
    assert by_model.level == "MMFF94s"
    assert not np.array_equal(by_etkdg.positions, by_model.positions)
    code, err = invoke(rows, "--model", "graph", "-o", "c.parquet")
    assert code == 2
    assert "graph is no model of conformers" in err


def test_window_and_most_limit_what_is_kept(rows: Path) -> None:
    rows.write_text("CCCCO\n")
    assert invoke(rows, "-n", 8, "-o", "all.parquet")[0] == 0
    energies = read("all.parquet")[1].energies
    assert len(energies) > 2
    window = float(energies[1] + energies[2]) / 2
    assert invoke(rows, "-n", 8, "-o", "low.parquet", "--window", window)[0] == 0
    np.testing.assert_allclose(read("low.parquet")[1].energies, energies[:2])
    assert invoke(rows, "-n", 8, "-o", "few.parquet", "--most", 1)[0] == 0
    assert len(read("few.parquet")[1].positions) == 1


def test_molecules_of_other_files_are_left_out_whatever_their_stereo(rows: Path) -> None:
    Path("tests.csv").write_text("smiles\nC[C@@H](O)[C@@H](N)CC\nworse\n")
    code, err = invoke(rows, "-n", 1, "-o", "out.parquet", "--exclude", "tests.csv", "--on-error", "keep")
    assert code == 0
    assert "3 of 5 rows ok; 1 failed (unparsable 1); 1 left out (in tests.csv 1)" in err
    assert "tests.csv: 1 rows cannot be read" in err
    assert pq.read_table("out.parquet")["row"].to_pylist() == [1, 2, 4, 5]
    rows.write_text("C[C@H](O)C(N)CC\nCCO\n")
    options = ("-n", 1, "-o", "out.parquet", "--exclude", "tests.csv", "--on-error", "fail")
    assert invoke(rows, *options)[0] == 0
    assert list(read("out.parquet")) == [2]
    Path("tests.csv").write_text("smiles\nworse\n")
    code, err = invoke(rows, *options)
    assert code == 2
    assert "tests.csv holds no molecule to leave out" in err


def test_an_interrupted_run_goes_on_and_workers_change_nothing(
    rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tests.smi").write_text("CCCCO\n")
    options = (rows, "-n", 3, "--exclude", "tests.smi", "--seed", 4, "-o")
    assert invoke(*options, "whole.parquet", "--num-workers", 1)[0] == 0
    make, calls = app_prepare.make_ensemble, []

    def interrupted(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return make(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(app_prepare, "make_ensemble", interrupted)
    assert invoke(*options, "out.parquet")[0] == 130
    assert not Path("out.parquet").exists()
    code, err = invoke(*options, "out.parquet", "--resume")
    assert code == 0
    assert "1 left out (in tests.smi 1)" in err
    assert "2 rows from the interrupted run" in err
    assert Path("out.parquet").read_bytes() == Path("whole.parquet").read_bytes()


def test_given_conformers_are_converted(rows: Path) -> None:
    first, mirrored = full("C[C@H](N)CO"), full("C[C@@H](N)CO")
    positions = sample_etkdg(first, 3)
    one, two, three = (with_positions(first, each[None]) for each in positions)
    three = Chem.RenumberAtoms(three, list(range(three.GetNumAtoms()))[::-1])
    (wrong,) = (with_positions(mirrored, each[None]) for each in sample_etkdg(mirrored, 1))
    alone = with_positions(full("CC"), sample_etkdg(full("CC"), 1))
    records = [
        (one, "a", -1.0),
        (two, "a", -1.001),
        (three, "a", -1.0),
        (wrong, "a", -1.0),
        (alone, "b", -2.0),
    ]
    save_records(Path("r.sdf"), records)
    code, err = invoke("r.sdf", "-o", "out.parquet", "--level", "given", "--energy", "E_x_Eh")
    assert code == 0, err
    assert "1 records left out (other_isomer 1)" in err
    found = read("out.parquet")
    assert [each.id for each in found.values()] == ["a", "b"]
    np.testing.assert_allclose(found[1].energies, [0.0, 0.001 * HARTREE, 0.001 * HARTREE], rtol=1e-4)
    apart = rmsd_matrix([two, one, three], split(found[1].mol))
    assert np.diag(apart).max() < 0.002
    assert invoke("r.sdf", "-o", "out.parquet", "--level", "given", "--most", 1)[0] == 0
    assert read("out.parquet")[1].energies is None
    assert rmsd_matrix([one], split(read("out.parquet")[1].mol))[0, 0] < 0.002


def test_time_that_runs_out_and_molecules_without_parameters_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RowError, match="not done within 1e-06 s"):
        recipe.make_ensemble("CCCCO", recipe.default_recipe("mmff", time_limit=1e-6))
    monkeypatch.setattr("molae.apps.conformers.sampled.relax_force_field", lambda mol: (None, [np.nan]))
    with pytest.raises(RowError, match="neither MMFF94s nor UFF"):
        recipe.make_ensemble("CO", recipe.default_recipe("mmff", n=1))


def test_the_lowest_are_relaxed_by_gfn2() -> None:
    pytest.importorskip("tblite")
    made = recipe.make_ensemble("OO", recipe.default_recipe("gfn2", n=2, most=1))
    assert made.ensemble.level == "GFN2-xTB"
    assert made.ensemble.positions.shape == (1, 4, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "out.csv"), "expected one of .parquet"),
        (("-o", "out.parquet", "--window", "-1"), "window: expected a number above 0"),
        (("-o", "out.parquet", "--energy", "E_Eh"), "the level 'mmff' makes its own conformers"),
        (("-o", "out.parquet", "--level", "given", "--energy", "E"), "expected a name that ends in _Eh"),
        (("-o", "out.parquet", "--level", "given"), "expected an SD file"),
        (("-o", "out.parquet", "--exclude", "gone.smi"), "gone.smi"),
    ],
)
def test_wrong_usage(rows: Path, options: tuple[str, ...], message: str) -> None:
    code, err = invoke(rows, *options)
    assert code == 2
    assert message in err
