from __future__ import annotations

import numpy as np
from rdkit import Chem
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from molae.chem.etkdg import sample_etkdg
from molae.chem.hydrogens import carry_hydrogens
from molae.chem.skeleton import skeleton
from molae.chem.torsions import measure_torsions, turn_torsions


def test_hydrogens_follow_a_rigid_motion_and_a_turn() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("OCC[C@H](N)c1ccccc1"))
    found = skeleton(mol)
    pos = sample_etkdg(mol, 2, 0)
    rotation = Rotation.random(rng=np.random.default_rng(0)).as_matrix()
    expected = pos @ rotation.T + [1.0, 2.0, 3.0]
    moved = carry_hydrogens(mol, pos, found.heavy, expected[:, found.heavy])
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    angles = measure_torsions(pos, found.torsions) + 1.0
    turned = turn_torsions(pos, found.torsions, angles)
    moved = carry_hydrogens(mol, pos, found.heavy, turned[:, found.heavy])
    bonds = np.array([[b.GetBeginAtomIdx(), b.GetEndAtomIdx()] for b in mol.GetBonds()])
    for before, after in zip(turned, moved, strict=True):
        lengths = [np.linalg.norm(np.diff(each[bonds], axis=1), axis=-1) for each in (before, after)]
        np.testing.assert_allclose(*lengths, atol=1e-6)
    assert np.abs(moved - turned).max() < 0.6


def test_a_small_change_leaves_local_geometry_alone() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CC(C)O"))
    found = skeleton(mol)
    pos = sample_etkdg(mol, 1, 0)
    noise = np.random.default_rng(0).normal(scale=0.01, size=(1, len(found), 3))
    moved = carry_hydrogens(mol, pos, found.heavy, pos[:, found.heavy] + noise)
    assert np.abs(pdist(moved[0]) - pdist(pos[0])).max() < 0.1


def test_molecules_without_hydrogens_or_neighbours_are_taken() -> None:
    for smiles in ("O=C=O", "C", "FC(F)(F)F"):
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        found = skeleton(mol)
        pos = sample_etkdg(mol, 1, 0)
        np.testing.assert_allclose(
            carry_hydrogens(mol, pos, found.heavy, pos[:, found.heavy]), pos, atol=1e-9
        )
