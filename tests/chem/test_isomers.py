"""Molecules without positions: arrays in slot order, and back."""

from __future__ import annotations

import random

import numpy as np
import pytest
from rdkit import Chem
from rdkit.rdBase import BlockLogs
from slotarrays import ISOMERS, in_slots, molecule, real

from molae.chem.conformers import embed_conformer
from molae.chem.featurise import featurise, featurise_isomer
from molae.chem.rebuild import rebuild
from molae.chem.vocabulary import BONDS, CIS, ISOMER_BONDS, ISOMER_CHANNELS, PARITIES, TRANS
from molae.errors import RowError


def spellings(mol: Chem.Mol) -> list[Chem.Mol]:
    """The molecule with its atoms in other orders, and read from other SMILES."""
    keep = Chem.SmilesParserParams()
    keep.removeHs = False
    orders = [random.Random(i).sample(range(mol.GetNumAtoms()), mol.GetNumAtoms()) for i in range(3)]
    read = [Chem.MolFromSmiles(s, keep) for s in Chem.MolToRandomSmilesVect(mol, 3, randomSeed=1)]
    return [Chem.RenumberAtoms(mol, order) for order in orders] + read


def without_stereo(mol: Chem.Mol) -> str:
    mol = Chem.Mol(mol)
    Chem.RemoveStereochemistry(mol)
    return Chem.MolToSmiles(Chem.RemoveHs(mol))


def same(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("smiles", ISOMERS)
def test_the_arrays_in_slot_order_are_the_same_for_every_spelling(smiles: str) -> None:
    mol = molecule(smiles)
    assert all(same(in_slots(mol), in_slots(other)) for other in spellings(mol))


@pytest.mark.parametrize("smiles", ISOMERS)
def test_an_isomer_comes_back_from_its_arrays(smiles: str) -> None:
    nodes, edges, _ = in_slots(molecule(smiles))
    assert Chem.MolToSmiles(rebuild(nodes, edges, None)) == Chem.MolToSmiles(molecule(smiles))


def test_isomers_have_different_arrays() -> None:
    distinct = {Chem.MolToSmiles(molecule(smiles)) for smiles in ISOMERS}
    arrays = {tuple(a.tobytes() for a in in_slots(molecule(smiles))[:2]) for smiles in ISOMERS}
    assert len(arrays) == len(distinct) == len(ISOMERS)


@pytest.mark.parametrize("smiles", ISOMERS)
def test_all_but_the_stereo_is_as_with_positions(smiles: str) -> None:
    mol = molecule(smiles)
    isomer, graph = featurise_isomer(mol), featurise(mol)
    np.testing.assert_array_equal(isomer.nodes[:, :-1], graph.nodes)
    double = BONDS.index(Chem.BondType.DOUBLE)
    np.testing.assert_array_equal(np.where(isomer.edges < CIS, isomer.edges, double), graph.edges)
    np.testing.assert_array_equal(isomer.mirror_slot, isomer.slot)
    assert isomer.pos is None
    assert (isomer.nodes < [size for _, size in ISOMER_CHANNELS]).all()
    assert isomer.edges.max() < ISOMER_BONDS


def test_real_molecules_come_back_and_do_not_depend_on_their_spelling() -> None:
    for smiles in real(60):
        try:
            mol = molecule(smiles)
            arrays = in_slots(mol)
        except RowError:
            continue
        assert all(same(arrays, in_slots(other)) for other in spellings(mol)[2:4]), smiles
        assert Chem.MolToSmiles(rebuild(*arrays[:2], None)) == Chem.MolToSmiles(mol)


@pytest.mark.parametrize("smiles", ["C[C@H](N)C(=O)O", "F[C@](Cl)(Br)I", "C[S@](=O)CC", "C[P@@](=O)(N)OC"])
def test_a_parity_says_how_the_neighbours_turn_in_space(smiles: str) -> None:
    mol = embed_conformer(molecule(smiles))
    graph = featurise_isomer(mol)
    pos = mol.GetConformer().GetPositions()
    (centre,) = np.flatnonzero(graph.nodes[:, -1])
    near = np.flatnonzero(graph.edges[centre])
    first, second, third = (pos[i] - pos[centre] for i in near[np.argsort(graph.slot[near])][:3])
    # Three neighbours turn clockwise, seen from where they are, if their triple product is negative; and so
    # do, seen from the first, the second, third and last.
    clockwise = np.linalg.det([first, second, third]) < 0
    assert PARITIES[graph.nodes[centre, -1]] == ("@@" if clockwise else "@")


@pytest.mark.parametrize("smiles", ["C/C=C/F", "C/C=C\\F", "C/C(F)=C(Cl)/Br", "[H]/N=C(/C)CC"])
def test_a_side_says_where_the_neighbours_of_lowest_slot_are(smiles: str) -> None:
    mol = embed_conformer(molecule(smiles))
    graph = featurise_isomer(mol)
    pos = mol.GetConformer().GetPositions()
    i, j = np.argwhere(np.triu(graph.edges >= CIS))[0]
    a, b = (min(set(np.flatnonzero(graph.edges[x])) - {y}, key=graph.slot.item) for x, y in ((i, j), (j, i)))
    axis = pos[j] - pos[i]
    across = np.cross(pos[a] - pos[i], axis) @ np.cross(pos[b] - pos[j], axis)
    assert graph.edges[i, j] == (CIS if across > 0 else TRANS)


def test_open_stereo_stays_open() -> None:
    for smiles in ("CC=CC", "CC(N)C(=O)O", "C[C@H](O)C(C)N"):
        nodes, edges, _ = in_slots(molecule(smiles))
        assert Chem.MolToSmiles(rebuild(nodes, edges, None)) == Chem.CanonSmiles(smiles)


def test_atoms_that_a_symmetry_exchanges_are_numbered() -> None:
    assert sorted(in_slots(molecule("CC(C)C"))[2]) == [0, 0, 1, 2]
    # Parity is no part of the graph that leaves them alike.
    assert sorted(in_slots(molecule("C[C@H](F)[C@@H](C)F"))[2]) == [0, 0, 0, 1, 1, 1]


def test_stereo_of_nothing_is_left_aside() -> None:
    for smiles in ("CC", "C=C", "CC=C", "c1ccccc1", "CC(C)C", "C=C=C", "C#N"):
        nodes, edges, _ = in_slots(molecule(smiles))
        nodes[:, -1] = 1
        edges[edges == BONDS.index(Chem.BondType.DOUBLE)] = TRANS
        assert Chem.MolToSmiles(rebuild(nodes, edges, None)) == Chem.CanonSmiles(smiles)


@pytest.mark.parametrize(
    ("smiles", "kind"),
    [
        ("[Na+]", "element"),
        ("[C+4]", "charge"),
        ("[SiH5]", "valence"),
        ("[N]", "radical"),
        ("CCCCC", "too_large"),
        ("[NH3]->B", "bond"),
    ],
)
def test_what_the_model_does_not_know_is_refused_alike(smiles: str, kind: str) -> None:
    with BlockLogs():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
    mol.UpdatePropertyCache(strict=False)
    Chem.AssignRadicals(mol)
    Chem.FastFindRings(mol)
    reasons = set()
    for read in (featurise, featurise_isomer):
        with pytest.raises(RowError) as refused:
            read(mol, max_nodes=4)
        reasons.add((refused.value.kind, refused.value.reason))
    assert len(reasons) == 1
    assert refused.value.kind == kind


def test_any_stereo_that_is_decoded_gives_a_molecule() -> None:
    choose = np.random.default_rng(0)
    for smiles in ISOMERS * 3:
        nodes, edges, _ = in_slots(molecule(smiles))
        nodes[:, -1] = choose.integers(len(PARITIES), size=len(nodes))
        double = np.isin(edges, [BONDS.index(Chem.BondType.DOUBLE), CIS, TRANS])
        drawn = np.triu(choose.choice([BONDS.index(Chem.BondType.DOUBLE), CIS, TRANS], edges.shape), 1)
        mol = rebuild(nodes, np.where(double, drawn + drawn.T, edges), None)
        # RDKit reads what it writes, and the molecule is the same but for its stereo.
        again = Chem.MolFromSmiles(Chem.MolToSmiles(mol))
        assert without_stereo(again) == without_stereo(molecule(smiles))
