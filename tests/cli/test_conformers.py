from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from rdkit import Chem
from typer.testing import CliRunner

from molae.cli import app

ROWS = ["CC(C)[C@H](N)C(=O)O valine", "bad junk", "", "CC(F)Cl", "[Na+].CC(=O)[O-] acetate", "*CC dummy"]


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Chunks so small that every file has several.
    monkeypatch.setattr("molae.apps.conformers.files._CHUNK_SIZE", 2)
    Path("in.smi").write_text("\n".join(ROWS) + "\n")
    return Path("in.smi")


def read(path: str) -> list[Chem.Mol]:
    text = gzip.decompress(Path(path).read_bytes()) if path.endswith(".gz") else Path(path).read_bytes()
    supplier = Chem.SDMolSupplier()
    supplier.SetData(text, removeHs=False)
    return list(supplier)


def test_records_are_named_and_say_what_they_are(rows: Path) -> None:
    code, out, err = invoke("conformers", rows, "-n", 3, "-o", "out.sdf")
    assert (code, out) == (0, "")
    assert "out.sdf: 3 of 6 rows ok; 3 failed" in err
    assert "unparsable 1" in err
    assert "stereo left open: 1" in err
    found = [mol for mol in read("out.sdf") if mol.GetNumAtoms()]
    assert [mol.GetProp("_Name") for mol in found] == ["valine"] * 3 + ["4"] * 3 + ["acetate"] * 3
    assert [mol.GetProp("molae_row") for mol in found] == ["1"] * 3 + ["4"] * 3 + ["5"] * 3
    for mol in found:
        assert Chem.MolToSmiles(Chem.RemoveHs(mol)) == mol.GetProp("smiles")
        assert mol.GetProp("molae_generator") == "model"
    assert found[0].GetProp("smiles") == Chem.CanonSmiles(ROWS[0].split()[0])
    assert not found[0].HasProp("molae_stereo")
    assert found[3].GetProp("molae_stereo") == "picked"
    assert len({mol.GetProp("smiles") for mol in found[3:6]}) == 1


def test_failed_rows_keep_their_place(rows: Path) -> None:
    assert invoke("conformers", rows, "-n", 1, "-o", "out.sdf.gz")[0] == 0
    found = read("out.sdf.gz")
    assert [int(mol.GetProp("molae_row")) for mol in found] == [1, 2, 3, 4, 5, 6]
    assert [mol.GetNumAtoms() > 0 for mol in found] == [True, False, False, True, True, False]
    assert found[1].GetProp("_Name") == "junk"
    assert found[1].GetProp("molae_status") == "failed"
    assert found[1].GetProp("molae_error").startswith("not a valid SMILES")


def test_or_are_dropped_or_are_the_end(rows: Path) -> None:
    assert invoke("conformers", rows, "-n", 1, "-o", "out.sdf", "--on-error", "drop")[0] == 0
    assert [mol.GetProp("molae_row") for mol in read("out.sdf")] == ["1", "4", "5"]
    code, _, err = invoke("conformers", rows, "-n", 1, "-o", "fail.sdf", "--on-error", "fail")
    assert code == 1
    assert "in.smi, row 2: not a valid SMILES" in err
    assert not Path("fail.sdf").exists()


def test_an_interrupted_run_goes_on(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ("conformers", rows, "-n", 2, "--relax", "mmff", "-o")
    assert invoke(*whole, "whole.sdf")[0] == 0
    from molae.apps.conformers import files

    make, calls = files.try_isomers, []

    def interrupted(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return make(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "try_isomers", interrupted)
    code, _, err = invoke(*whole, "out.sdf")
    assert code == 130
    assert "--resume goes on" in err
    assert not Path("out.sdf").exists()
    code, _, err = invoke(*whole, "out.sdf", "--resume")
    assert code == 0
    assert "2 rows from the interrupted run" in err
    assert Path("out.sdf").read_bytes() == Path("whole.sdf").read_bytes()
    assert not Path("out.sdf.parts").exists()


def test_relaxed_conformers_are_sorted_and_workers_change_nothing(rows: Path) -> None:
    options = ("-n", 4, "--relax", "mmff", "--prune-rmsd", 0.1, "--seed", 5)
    assert invoke("conformers", rows, "-o", "a.sdf", *options)[0] == 0
    assert invoke("conformers", rows, "-o", "b.sdf", *options, "--num-workers", 1)[0] == 0
    assert Path("a.sdf").read_bytes() == Path("b.sdf").read_bytes()
    found = [mol for mol in read("a.sdf") if mol.GetProp("molae_row") == "1"]
    relative = [float(mol.GetProp("molae_relative_energy_kcal_mol")) for mol in found]
    assert relative == sorted(relative)
    assert relative[0] == 0
    assert {mol.GetProp("molae_energy_method") for mol in found} == {"MMFF94s"}


def test_isomers_are_enumerated(rows: Path) -> None:
    rows.write_text("CC(F)C(Cl)Br both\n")
    assert invoke("conformers", rows, "-n", 1, "-o", "out.sdf", "--enumerate-stereo")[0] == 0
    found = read("out.sdf")
    assert len({mol.GetProp("smiles") for mol in found}) == len(found) == 4
    assert {mol.GetProp("molae_stereo") for mol in found} == {"enumerated"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "out.csv"), "expected one of .sdf .sdf.gz"),
        (("-o", "out.sdf", "--model", "magic"), "no model 'magic', neither shipped nor a directory"),
        (("-o", "out.sdf", "--prune-rmsd", "-1"), "prune_rmsd"),
        (("-o", "out.sdf", "-n", "5", "--of", "4"), "of: expected at least n, 5, got 4"),
    ],
)
def test_wrong_usage(rows: Path, options: tuple[str, ...], message: str) -> None:
    code, _, err = invoke("conformers", rows, *options)
    assert code == 2
    assert message in err


def test_without_any_success_the_run_fails(rows: Path) -> None:
    rows.write_text("bad\n")
    assert invoke("conformers", rows, "-o", "out.sdf")[0] == 1


def test_the_evaluation_prints_and_writes(rows: Path) -> None:
    rows.write_text("CCCCO butanol\nC[C@H](N)CC(=O)O acid\n")
    assert invoke("conformers", rows, "-n", 2, "-o", "references.sdf")[0] == 0
    assert invoke("conformers", rows, "-n", 4, "--seed", 1, "-o", "samples.sdf")[0] == 0
    arguments = ("evaluate", "conformers", "references.sdf", "--samples", "mine=samples.sdf", "-o", "r.json")
    code, out, err = invoke(*arguments)
    assert code == 0, err
    for text in ("mine", "etkdg-mmff", "AMR recall", "coverage precision < 0.75", "wrong stereo"):
        assert text in out
    report = json.loads(Path("r.json").read_text())
    assert list(report["methods"]) == ["mine", "etkdg", "etkdg-mmff"]
    assert report["methods"]["mine"]["figures"]["samples"] == 8
    code, _, err = invoke("evaluate", "conformers", "in.smi")
    assert code == 2
    assert "expected an SD file" in err
