from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molae.chem.etkdg import sample_etkdg
from molae.chem.handedness import clearly_alike
from molae.chem.isomers import keep_configurations, with_positions
from molae.chem.parse import parse_smiles, prepare
from molae.chem.stereo import assign_stereo_from_positions


def posed(smiles: str, n: int = 4) -> tuple[Chem.Mol, np.ndarray]:
    mol = prepare(parse_smiles(smiles), hydrogens=True).mol
    positions = sample_etkdg(mol, n)
    return assign_stereo_from_positions(with_positions(mol, positions[:1])), positions


@pytest.mark.parametrize(
    "smiles", ["C[C@H](N)C(=O)O", "F/C=C/Cl", "C[S@](=O)c1ccccc1", "CC", "C[C@H](F)/C=C\\C"]
)
def test_embeddings_of_an_isomer_are_alike(smiles: str) -> None:
    assert clearly_alike(*posed(smiles), 0).all()


@pytest.mark.parametrize("smiles", ["C[C@H](N)C(=O)O", "C[S@](=O)c1ccccc1", "C[C@H](F)/C=C\\C"])
def test_mirror_images_are_not(smiles: str) -> None:
    mol, positions = posed(smiles)
    mixed = np.concatenate([positions[:2], -positions[2:]])
    assert clearly_alike(mol, mixed, 0).tolist() == [True, True, False, False]


def test_the_other_side_of_a_double_bond_is_not() -> None:
    mol, positions = posed("F/C=C/Cl", 1)
    _, other = posed("F/C=C\\Cl", 1)
    assert clearly_alike(mol, np.concatenate([positions, other]), 0).tolist() == [True, False]


def test_what_is_nearly_flat_is_in_doubt() -> None:
    mol, positions = posed("C[C@H](F)Cl", 1)
    flat = positions[0] * np.array([1.0, 1.0, 0.1])
    assert not clearly_alike(mol, np.array([positions[0], flat]), 0)[1]


@pytest.mark.parametrize(
    "smiles",
    [
        "C[C@H](N)[C@@H](O)C(=O)/C=C/[C@]1(C)CC1",
        "O[C@H]1C[C@@H](C)C1",
        "C[P@](=O)(O)CC",
        "C[S@@](=O)CC",
        "C/C(F)=C(C)/Cl",
        "[H]/N=C(\\C)CC",
    ],
)
def test_noisy_conformers_are_judged_as_one_by_one(smiles: str) -> None:
    mol = prepare(parse_smiles(smiles), hydrogens=True).mol
    noise = np.random.default_rng(0).normal(size=(60, mol.GetNumAtoms(), 3))
    positions = sample_etkdg(mol, 1) + np.linspace(0, 0.8, 60)[:, None, None] * noise
    together = keep_configurations(mol, positions)
    assert together.tolist() == [bool(keep_configurations(mol, each[None])[0]) for each in positions]
    assert 0 < together.sum() < 60
