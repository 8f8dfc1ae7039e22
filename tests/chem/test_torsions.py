from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.Chem.rdMolAlign import GetBestRMS
from rdkit.Chem.rdMolTransforms import GetDihedralRad, SetDihedralRad
from scipy.spatial.distance import pdist

from molae.chem.torsions import find_torsions, measure_torsions, turn_torsions
from molae.errors import RowError

IBUPROFEN = "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O"


def conformers(smiles, count=3):
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = 7
    rdDistGeom.EmbedMultipleConfs(mol, count, parameters)
    return mol, np.array([each.GetPositions() for each in mol.GetConformers()])


def four_atoms(torsions):
    for (i, _), (j, k), (last, _) in zip(
        torsions.ends[:, 0], torsions.bonds, torsions.ends[:, 1], strict=True
    ):
        yield [int(atom) for atom in (i, j, k, last)]


@pytest.mark.parametrize(
    ("smiles", "count"),
    [
        (IBUPROFEN, 4),
        ("CCCC", 1),
        ("CCC", 0),
        ("CC#CC", 0),
        ("C1CCCCC1", 0),
        ("c1ccccc1-c1ccccc1", 1),
        ("CC(=O)NC", 1),
        ("O", 0),
    ],
)
def test_bonds_that_turn_are_counted(smiles, count):
    assert len(find_torsions(Chem.AddHs(Chem.MolFromSmiles(smiles)))) == count


@pytest.mark.parametrize(
    ("smiles", "fold"),
    [
        ("c1ccccc1CC", 2),
        ("FC(F)(F)CC", 3),
        ("CCCC", 1),
        ("Clc1ccccc1CC", 1),
        ("CC(C)(C)CC", 3),
        ("CCN(C)C", 1),
        ("CCc1ccc(CC)cc1", 1),
        ("CCC(CC)(CC)CC", 1),
    ],
)
def test_what_a_turn_leaves_as_it_is(smiles, fold):
    assert max(find_torsions(Chem.AddHs(Chem.MolFromSmiles(smiles))).fold) == fold


def test_angles_are_those_of_rdkit():
    mol, pos = conformers(IBUPROFEN)
    torsions = find_torsions(mol)
    expected = [
        [GetDihedralRad(each, *atoms) for atoms in four_atoms(torsions)] for each in mol.GetConformers()
    ]
    np.testing.assert_allclose(measure_torsions(pos, torsions), expected, atol=1e-9)


def test_bonds_are_turned_as_rdkit_turns_them():
    mol, pos = conformers(IBUPROFEN)
    torsions = find_torsions(mol)
    angles = np.random.default_rng(0).uniform(-np.pi, np.pi, (len(pos), len(torsions)))
    turned = turn_torsions(pos, torsions, angles)
    np.testing.assert_allclose(measure_torsions(turned, torsions), angles, atol=1e-9)
    for conformer, row, found in zip(mol.GetConformers(), angles, turned, strict=True):
        for atoms, angle in zip(four_atoms(torsions), row, strict=True):
            SetDihedralRad(conformer, *atoms, float(angle))
        np.testing.assert_allclose(pdist(found), pdist(conformer.GetPositions()), atol=1e-6)


def test_nothing_turns_when_the_angles_are_there_already():
    mol, pos = conformers(IBUPROFEN)
    torsions = find_torsions(mol)
    np.testing.assert_allclose(turn_torsions(pos, torsions, measure_torsions(pos, torsions)), pos, atol=1e-9)


def test_a_turn_of_a_symmetric_group_leaves_the_conformer_as_it_is():
    mol, pos = conformers("CCc1ccccc1", 1)
    torsions = find_torsions(mol)
    angles = measure_torsions(pos, torsions) + np.pi * (torsions.fold == 2)
    turned = turn_torsions(pos, torsions, angles)
    mol.AddConformer(Chem.Conformer(mol.GetConformer()), assignId=True)
    mol.GetConformer(1).SetPositions(turned[0])
    heavy = Chem.RemoveHs(mol)
    assert GetBestRMS(heavy, heavy, 0, 1) < 0.1


def test_the_numbering_decides_neither_order_nor_angles():
    mol, pos = conformers("OC[C@H](N)C(=O)N[C@@H](C)C(=O)O")
    expected = measure_torsions(pos, find_torsions(mol))
    random = np.random.default_rng(0)
    for _ in range(5):
        order = random.permutation(mol.GetNumAtoms())
        renumbered = Chem.RenumberAtoms(mol, order.tolist())
        Chem.SanitizeMol(renumbered)
        torsions = find_torsions(renumbered)
        np.testing.assert_allclose(measure_torsions(pos[:, order], torsions), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("smiles", "alike"),
    [("CN(C)CCC", (0, 2)), ("CCCS(=O)(=O)CC", (4, 5)), ("CC(C)CCC", (0, 2)), ("CCP(=O)([O-])[O-]", (4, 5))],
)
def test_exchanging_neighbours_that_look_alike_changes_no_angle(smiles, alike):
    mol, pos = conformers(smiles)
    torsions = find_torsions(mol)
    exchanged = pos.copy()
    exchanged[:, alike] = pos[:, alike[::-1]]
    assert len(torsions)
    np.testing.assert_allclose(
        measure_torsions(exchanged, torsions), measure_torsions(pos, torsions), atol=1e-9
    )


def test_pieces_are_refused():
    with pytest.raises(RowError, match="several pieces"):
        find_torsions(Chem.MolFromSmiles("CC.CC"))
