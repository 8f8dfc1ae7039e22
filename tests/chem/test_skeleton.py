from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molae.chem.etkdg import sample_etkdg
from molae.chem.matching import match_starts
from molae.chem.skeleton import SKELETON_BONDS, SKELETON_CHANNELS, skeleton
from molae.chem.torsions import find_torsions, measure_torsions, turn_torsions
from molae.errors import RowError


def full(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def test_atoms_and_bonds_are_in_their_categories() -> None:
    found = skeleton(full("OCC(=O)[O-]"))
    assert len(found) == 5
    assert found.nodes.shape == (5, len(SKELETON_CHANNELS))
    hydrogens = [name for name, _ in SKELETON_CHANNELS].index("hydrogens")
    assert found.nodes[:, hydrogens].tolist() == [1, 2, 0, 0, 0]
    assert (found.nodes < [size for _, size in SKELETON_CHANNELS]).all()
    np.testing.assert_array_equal(found.edges, found.edges.T)
    assert (found.edges > 0).sum() == 8
    assert found.edges.max() < SKELETON_BONDS
    assert found.hops[0].tolist() == [0, 1, 2, 3, 3]


def test_bonds_that_turn_are_told_by_the_heavy_atoms_alone() -> None:
    mol = Chem.RenumberAtoms(full("CCCO"), [5, 0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 11])
    Chem.SanitizeMol(mol)
    found = skeleton(mol)
    assert found.bonds.shape == (1, 2)
    for bond, (j, k) in zip(found.torsions.bonds, found.bonds, strict=True):
        assert found.heavy[[j, k]].tolist() == bond.tolist()
    np.testing.assert_array_equal(found.moved, found.torsions.moved[:, found.heavy])


@pytest.mark.parametrize(
    ("smiles", "kind"),
    [
        ("[Na]CC", "unknown_element"),
        ("[H][H]", "no_atoms"),
        ("CC.CC", "fragments"),
        ("[B-4]", "unknown_charge"),
    ],
)
def test_what_the_model_does_not_know_is_refused(smiles: str, kind: str) -> None:
    with pytest.raises(RowError) as caught:
        skeleton(full(smiles))
    assert caught.value.kind == kind


def test_a_turned_start_matches_itself() -> None:
    mol = full("CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O")
    torsions = find_torsions(mol)
    starts = sample_etkdg(mol, 2, 0)
    angles = np.random.default_rng(0).uniform(-3, 3, (3, len(torsions)))
    positions = turn_torsions(np.repeat(starts[:1], 3, axis=0), torsions, angles)
    match = match_starts(mol, torsions, starts, positions)
    assert match.turns.shape == (3, 2, len(torsions))
    assert match.fit[:, 0].max() < 1e-4 < match.fit[:, 1].min()
    reached = measure_torsions(starts[:1], torsions) + match.turns[:, 0]
    np.testing.assert_allclose(np.exp(1j * reached), np.exp(1j * angles), atol=1e-6)


@pytest.mark.parametrize("smiles", ["CC(C)CCCC", "CCCCS(=O)(=O)NCC", "CCN(CC)C(=O)CC(CC)CC"])
def test_atoms_that_look_alike_may_be_exchanged(smiles: str) -> None:
    mol = full(smiles)
    torsions = find_torsions(mol)
    starts = sample_etkdg(mol, 1, 0)
    # Mirrored, a molecule without a stereocentre is still the same, with its alike neighbours exchanged.
    match = match_starts(mol, torsions, starts, -starts)
    assert match.fit.max() < 0.35


def test_hydrogens_go_with_the_atoms_that_are_exchanged() -> None:
    # The angles of the isopropyls are measured from their hydrogens.
    mol = full("CC(C)CN(C)CC(C)C")
    made = sample_etkdg(mol, 6, 0)
    match = match_starts(mol, find_torsions(mol), made[:3], made[3:])
    assert match.fit.max() < 0.6
