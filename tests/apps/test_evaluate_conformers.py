from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molae.apps.conformers.ensembles import read_references, read_samples
from molae.apps.conformers.evaluate import evaluate_conformers
from molae.apps.conformers.files import conformers_file
from molae.apps.conformers.sampled import Request
from molae.apps.rows import Source
from molae.chem.etkdg import sample_etkdg
from molae.chem.isomers import with_positions
from molae.chem.parse import parse_smiles, prepare
from molae.errors import CheckpointError, ConfigError, DataError

SMILES = {"alcohol": "CCCCO", "chiral": "C[C@H](N)CC(=O)O", "xylene": "Cc1ccc(C)cc1"}
COUNTS = {"alcohol": 3, "chiral": 2, "xylene": 1}


def write(path: Path, records: list[tuple[str, Chem.Mol, dict[str, object]]]) -> Path:
    with Chem.SDWriter(str(path)) as writer:
        for name, mol, properties in records:
            mol = Chem.Mol(mol)
            mol.SetProp("_Name", name)
            for key, value in properties.items():
                mol.SetProp(key, str(value))
            writer.write(mol)
    return path


def ensemble(smiles: str, n: int, seed: int = 0) -> list[Chem.Mol]:
    mol = prepare(parse_smiles(smiles), hydrogens=True).mol
    return [with_positions(mol, positions[None]) for positions in sample_etkdg(mol, n, seed)]


@pytest.fixture
def references(tmp_path: Path) -> Path:
    records = [
        (name, mol, {"conformer_id": f"c{place}"})
        for name, smiles in SMILES.items()
        for place, mol in enumerate(ensemble(smiles, COUNTS[name]))
    ]
    return write(tmp_path / "references.sdf", records)


def test_references_are_grouped_by_name_and_minima_counted_once(references: Path, tmp_path: Path) -> None:
    read = read_references(references)
    assert {each.name: len(each.conformers) for each in read.molecules} == COUNTS
    assert [each.smiles for each in read.molecules] == [Chem.CanonSmiles(each) for each in SMILES.values()]
    table = tmp_path / "minima.csv"
    rows = ["alcohol,c0,0", "alcohol,c1,0", "alcohol,c2,1", "chiral,c0,0", "chiral,c1,1", "xylene,c0,0"]
    table.write_text("\n".join(["molecule,conformer_id,minimum_index", *rows]))
    read = read_references(references, table)
    assert [len(each.conformers) for each in read.molecules] == [2, 2, 1]
    assert read.left_out == {"same_minimum": 1}
    table.write_text("\n".join(["molecule,conformer_id,minimum_index", *rows[1:]]))
    with pytest.raises(
        DataError, match="record 1: molecule 'alcohol', conformer_id 'c0' is not in the table"
    ):
        read_references(references, table)
    table.write_text("molecule,minimum_index\nalcohol,0\n")
    with pytest.raises(DataError, match="no column 'conformer_id'"):
        read_references(references, table)


def test_records_that_do_not_fit_are_left_out_and_counted(tmp_path: Path) -> None:
    (one, two), (other,) = ensemble(SMILES["chiral"], 2), ensemble("C[C@@H](N)CC(=O)O", 1)
    records = [
        ("a", one, {"minimum_index": 0}),
        ("a", two, {"minimum_index": 0}),
        ("a", other, {}),
        ("", one, {}),
    ]
    flat = Chem.MolFromSmiles("CCO")
    read = read_references(write(tmp_path / "r.sdf", [*records, ("b", flat, {})]))
    assert read.left_out == {"same_minimum": 1, "other_isomer": 1, "no_positions": 1}
    # A record without a name goes by its SMILES.
    assert [each.name for each in read.molecules] == ["a", Chem.CanonSmiles(SMILES["chiral"])]
    with pytest.raises(DataError, match="no 3D structure"):
        read_references(write(tmp_path / "flat.sdf", [("b", flat, {})]))


def test_samples_must_be_named_as_the_references(references: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "s.sdf", [("elsewhere", ensemble("CCO", 1)[0], {})])
    with pytest.raises(DataError, match="named as a reference is, such as 'alcohol'"):
        read_samples(path, list(SMILES))


def test_the_references_themselves_are_found(references: Path) -> None:
    report = evaluate_conformers(references, {"same": references}, baselines=["etkdg"])
    same = report["methods"]["same"]
    assert same["figures"]["count"] == 3
    assert same["figures"]["amr_recall_mean"] == pytest.approx(0, abs=1e-4)
    assert same["figures"]["coverage_precision_0.5_mean"] == 1
    assert same["figures"]["stereo_mismatches"] == 0
    assert same["against"]["etkdg"]["amr_recall_mean_ratio"]["count"] == 3
    # 2 K of each.
    etkdg = report["methods"]["etkdg"]
    assert etkdg["figures"]["samples"] == 2 * sum(COUNTS.values())
    assert etkdg["seconds"] > 0
    assert [each["references"] for each in report["by_molecule"]] == [3, 2, 1]


def test_missing_molecules_and_mirror_images_are_counted(references: Path, tmp_path: Path) -> None:
    (wrong,) = ensemble("C[C@@H](N)CC(=O)O", 1)
    samples = write(
        tmp_path / "s.sdf", [("chiral", wrong, {}), ("xylene", ensemble(SMILES["xylene"], 1)[0], {})]
    )
    figures = evaluate_conformers(references, {"few": samples}, baselines=[])["methods"]["few"]["figures"]
    assert (figures["count"], figures["missing"], figures["stereo_mismatches"]) == (3, 1, 1)
    assert figures["coverage_recall_1.0_mean"] <= 2 / 3


def test_of_more_samples_twice_the_references_are_drawn(references: Path, tmp_path: Path) -> None:
    many = write(tmp_path / "many.sdf", [("xylene", mol, {}) for mol in ensemble(SMILES["xylene"], 9)])
    report = evaluate_conformers(references, {"many": many}, baselines=[], seeds=2)
    assert report["methods"]["many"]["figures"]["samples"] == 2
    assert report["methods"]["many"]["deviation"]["amr_recall_mean"] >= 0


def test_more_samples_for_each_reference_on_request(references: Path, tmp_path: Path) -> None:
    many = write(tmp_path / "many.sdf", [("xylene", mol, {}) for mol in ensemble(SMILES["xylene"], 9)])
    report = evaluate_conformers(references, {"many": many}, baselines=["etkdg"], per_reference=5)
    assert report["samples_per_reference"] == 5
    figures = {name: method["figures"] for name, method in report["methods"].items()}
    assert figures["many"]["samples"] == 5
    assert figures["etkdg"]["samples"] == 5 * sum(COUNTS.values())


def test_the_commonest_of_more_conformers_are_as_many(references: Path) -> None:
    report = evaluate_conformers(references, baselines=["etkdg", "etkdg-commonest"], limit=1)
    plain, commonest = (report["methods"][name] for name in ("etkdg", "etkdg-commonest"))
    assert commonest["figures"]["samples"] == plain["figures"]["samples"]
    assert commonest["seconds"] > plain["seconds"]


def test_the_lowest_of_more_conformers_are_samples_as_many(references: Path) -> None:
    report = evaluate_conformers(references, baselines=["etkdg", "etkdg-lowest"], limit=1)
    plain, lowest = (report["methods"][name] for name in ("etkdg", "etkdg-lowest"))
    assert 0 < lowest["figures"]["samples"] <= plain["figures"]["samples"]
    assert lowest["seconds"] > plain["seconds"]


def test_seeds_workers_and_limits(references: Path) -> None:
    alone = evaluate_conformers(references, baselines=["etkdg", "etkdg-mmff"], seeds=2, limit=2)
    shared = evaluate_conformers(
        references, baselines=["etkdg", "etkdg-mmff"], seeds=2, limit=2, num_workers=1
    )
    assert [each["name"] for each in alone["by_molecule"]] == ["alcohol", "xylene"]
    for name in ("etkdg", "etkdg-mmff"):
        assert alone["methods"][name]["figures"] == shared["methods"][name]["figures"]
    assert alone["by_molecule"] == shared["by_molecule"]


def test_wrong_options_are_named(references: Path) -> None:
    with pytest.raises(ConfigError, match="two methods are called 'etkdg'"):
        evaluate_conformers(references, models=["etkdg"])
    with pytest.raises(ConfigError, match="nothing to measure"):
        evaluate_conformers(references, baselines=[])
    with pytest.raises(CheckpointError, match="no model 'magic'"):
        evaluate_conformers(references, models=["magic"])


def test_checks_of_single_samples(references: Path) -> None:
    pytest.importorskip("posebusters")
    pytest.importorskip("tblite")
    report = evaluate_conformers(references, baselines=["etkdg"], posebusters=2, strain=1)
    checks = report["methods"]["etkdg"]["checks"]
    assert checks["checked"] == 2
    assert checks["posebusters_rate"] == 1
    assert 0 < checks["strain_mean"] < 100
    assert 0 < checks["moved_mean"] < 2


def test_what_molae_conformers_writes_can_be_evaluated(references: Path, tmp_path: Path) -> None:
    (tmp_path / "in.smi").write_text("".join(f"{smiles} {name}\n" for name, smiles in SMILES.items()))
    summary = conformers_file(Source(tmp_path / "in.smi"), tmp_path / "out.sdf", Request(6))
    assert summary.ok == 3
    report = evaluate_conformers(references, {"out": tmp_path / "out.sdf"}, baselines=[])
    figures = report["methods"]["out"]["figures"]
    assert figures["samples"] == 2 * sum(COUNTS.values())
    assert (figures["missing"], figures["stereo_mismatches"]) == (0, 0)


def test_development_set() -> None:
    folder = Path(os.environ.get("MOLAE_DATA", "../shared/data")) / "conformers_b3lyp"
    if not folder.exists():
        pytest.skip("no development data")
    read = read_references(folder / "conformers_dev.sdf.gz", folder / "energies.csv.gz")
    assert len(read.molecules) == 341
    assert sum(len(each.conformers) for each in read.molecules) == 1950
    assert np.mean([len(each.conformers) for each in read.molecules]) == pytest.approx(5.7, abs=0.05)
