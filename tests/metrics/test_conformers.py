import math

import numpy as np
import pytest
from rdkit import Chem

from molae.chem.etkdg import sample_etkdg
from molae.chem.heavy import distinct, heavy_atoms, rmsd_matrix
from molae.chem.isomers import with_positions
from molae.chem.parse import parse_smiles, prepare
from molae.errors import RowError
from molae.metrics.conformers import (
    FIGURES,
    EnsembleComparison,
    compare_ensembles,
    paired_bootstrap,
    summarise_ensembles,
)

SYMMETRIC = ["Cc1ccc(C)cc1", "CC(C)(C)CCO", "OCCc1ccccc1", "CC(C)(C)c1ccc(cc1)C(C)(C)C"]


def ensemble(smiles: str, n: int, seed: int = 0) -> list[Chem.Mol]:
    mol = prepare(parse_smiles(smiles), hydrogens=True).mol
    return [with_positions(mol, positions[None]) for positions in sample_etkdg(mol, n, seed)]


def moved(mol: Chem.Mol, factor: float = 1.0) -> Chem.Mol:
    return with_positions(mol, factor * mol.GetConformer().GetPositions()[None] + [1.0, -2.0, 0.5])


def shuffled(mol: Chem.Mol, seed: int) -> Chem.Mol:
    return Chem.RenumberAtoms(mol, np.random.default_rng(seed).permutation(mol.GetNumAtoms()).tolist())


@pytest.mark.parametrize("smiles", [*SYMMETRIC, "C[C@H](N)Cc1ccc(F)cc1", "CC(C)CC(=O)NCCO"])
def test_rmsds_are_those_of_spyrmsd(smiles: str) -> None:
    rmsd = pytest.importorskip("spyrmsd.rmsd")
    references, samples = ensemble(smiles, 2), [shuffled(mol, 1) for mol in ensemble(smiles, 3, seed=1)]
    mine = rmsd_matrix(references, samples)
    for k, reference in enumerate(map(heavy_atoms, references)):
        for s, sample in enumerate(map(heavy_atoms, samples)):
            other = rmsd.symmrmsd(
                *(mol.GetConformer().GetPositions() for mol in (reference, sample)),
                *(np.array([a.GetAtomicNum() for a in mol.GetAtoms()]) for mol in (reference, sample)),
                *(Chem.GetAdjacencyMatrix(mol) for mol in (reference, sample)),
                center=True,
                minimize=True,
            )
            assert mine[k, s] == pytest.approx(other, abs=1e-5)


@pytest.mark.parametrize("smiles", SYMMETRIC)
def test_a_symmetric_reading_costs_nothing(smiles: str) -> None:
    (mol,) = ensemble(smiles, 1)
    carbons = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    matches = mol.GetSubstructMatches(heavy_atoms(mol), uniquify=False, maxMatches=10)
    # The same positions under the numbers of a symmetric reading.
    swapped = moved(mol)
    for own, other in zip(carbons, matches[-1], strict=True):
        swapped.GetConformer().SetAtomPosition(own, mol.GetConformer().GetAtomPosition(other))
    assert rmsd_matrix([mol], [swapped])[0, 0] < 1e-4


def test_a_mirror_image_is_another_isomer_and_counted() -> None:
    (mol,) = ensemble("C[C@H](N)C(=O)O", 1)
    image = moved(mol, -1)
    found = compare_ensembles([mol], [image, moved(mol)])
    assert found.stereo_mismatches == 1
    assert found.rmsds[0, 0] > 0.1
    assert found.rmsds[0, 1] < 1e-4


def test_a_mirrored_conformer_of_an_achiral_molecule_is_right_but_elsewhere() -> None:
    # gauche+ and gauche-
    mols = [mol for mol in ensemble("FCCCl", 20) if abs(dihedral(mol)) < 120]
    found = compare_ensembles([mols[0]], [moved(mols[0], -1)])
    assert found.stereo_mismatches == 0
    assert found.rmsds[0, 0] > 0.2


def dihedral(mol: Chem.Mol) -> float:
    from rdkit.Chem import rdMolTransforms

    return rdMolTransforms.GetDihedralDeg(mol.GetConformer(), 0, 1, 2, 3)


def test_the_hand_made_case() -> None:
    rmsds = np.array([[0.1, 0.75, 2.0, 0.9], [0.6, 0.8, 3.0, 0.4]])
    figures = EnsembleComparison(rmsds).figures()
    assert set(figures) == set(FIGURES)
    assert figures["amr_recall"] == pytest.approx((0.1 + 0.4) / 2)
    assert figures["amr_precision"] == pytest.approx((0.1 + 0.75 + 2.0 + 0.4) / 4)
    # Strictly below: 0.75 is not found at 0.75.
    assert figures["coverage_precision_0.75"] == 0.5
    assert figures["coverage_precision_1.0"] == 0.75
    assert figures["coverage_precision_0.5"] == 0.5
    assert figures["coverage_recall_0.5"] == 1


def test_one_reference_and_two_samples() -> None:
    (reference,) = ensemble("CCCCO", 1)
    figures = compare_ensembles([reference], [moved(reference), moved(reference)]).figures()
    assert figures["amr_recall"] == pytest.approx(0, abs=1e-4)
    assert figures["coverage_recall_0.5"] == figures["coverage_precision_0.5"] == 1


def test_a_missing_molecule_counts_in_the_coverage_alone() -> None:
    missing = compare_ensembles(ensemble("CCCCO", 2), [])
    assert missing.missing
    assert missing.rmsds.shape == (2, 0)
    found = summarise_ensembles([EnsembleComparison(np.array([[0.2]]), 1), missing])
    assert (found["count"], found["missing"], found["references"], found["samples"]) == (2, 1, 3, 1)
    assert found["stereo_mismatches"] == 1
    assert found["amr_recall_mean"] == 0.2
    assert found["coverage_recall_0.5_mean"] == 0.5
    assert math.isnan(summarise_ensembles([missing])["amr_recall_mean"])


def test_other_molecules_and_no_positions_are_refused() -> None:
    (mol,) = ensemble("CCCO", 1)
    with pytest.raises(RowError, match="not the molecule CCCO") as caught:
        rmsd_matrix([mol], ensemble("CCCN", 1))
    assert caught.value.kind == "other_molecule"
    with pytest.raises(RowError, match="3D conformer"):
        rmsd_matrix([mol], [Chem.MolFromSmiles("CCCO")])
    with pytest.raises(RowError, match="without heavy atoms"):
        heavy_atoms(Chem.AddHs(Chem.MolFromSmiles("[H][H]")))


def test_conformers_that_are_alike_are_picked_once() -> None:
    mols = ensemble("CC(C)(C)CCO", 3)
    positions = np.array([mol.GetConformer().GetPositions() for mol in (mols[0], moved(mols[0]), *mols[1:])])
    picked = distinct(with_positions(mols[0], positions), 0.05)
    assert picked[0] == 0
    assert 1 not in picked
    assert distinct(with_positions(mols[0], positions), 100) == [0]


def test_bootstrap_intervals_hold_the_value() -> None:
    random = np.random.default_rng(0)
    baseline = random.uniform(0.5, 1.5, 80)
    values = 0.6 * baseline + random.normal(0, 0.02, 80)
    for statistic in ("mean", "median"):
        found = paired_bootstrap(values, baseline, "ratio", statistic, resamples=300)
        assert found.low < found.value < found.high
        assert found.value == pytest.approx(0.6, abs=0.03)
        assert found == paired_bootstrap(values, baseline, "ratio", statistic, resamples=300)
    # Drawn together: the spread of the molecules does not enter.
    assert found.high - found.low < 0.05
    found = paired_bootstrap(values, baseline, resamples=300)
    assert found.value == pytest.approx((values - baseline).mean())


def test_bootstrap_of_what_is_missing() -> None:
    found = paired_bootstrap([1.0, math.nan, 3.0], [2.0, 2.0, math.nan], resamples=10)
    assert (found.value, found.count) == (-1.0, 1)
    assert paired_bootstrap([math.nan], [1.0]).count == 0
    assert math.isnan(paired_bootstrap([1.0], [0.0], "ratio", resamples=10).value)
