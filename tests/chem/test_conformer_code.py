from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from scipy.spatial.transform import Rotation

from molae.chem.conformer_code import (
    CODE_SIZE,
    blend,
    code_layout,
    encode_conformers,
    encode_positions,
    read,
    start_distances,
    torsion_angles,
)
from molae.chem.etkdg import sample_etkdg
from molae.chem.isomers import with_positions
from molae.chem.readings import find_handedness, find_readings
from molae.errors import RowError

UNSYMMETRIC = "OC[C@H](N)C(=O)N[C@@H](CC)C1CCCO1"
SYMMETRIC = [
    "CCC(CC)CC",
    "CCCN(CCC)CCO",
    "c1ccccc1CCc1ccccc1",
    "COc1ccc(CC(F)(F)F)cc1",
    "CC(C)CNCC(C)C",
    "C[C@H](O)CC[C@@H](C)O",
    "CN1CCN(C)CC1",
    "CCC(CC)=CCO",
    "C1CCCCC1C1CCCCC1",
    "CC(C)(C)CO",
    "OC(=O)C1CC2CCC1C2",
    "C/C=C/CC/C=C\\C",
]


def full(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def posed(smiles: str, n: int = 3, seed: int = 0) -> Chem.Mol:
    mol = full(smiles)
    return with_positions(mol, sample_etkdg(mol, n, seed))


def positions(mol: Chem.Mol) -> np.ndarray:
    return np.array([conformer.GetPositions() for conformer in mol.GetConformers()])


def renumbered(mol: Chem.Mol, random: np.random.Generator) -> Chem.Mol:
    made = Chem.RenumberAtoms(mol, random.permutation(mol.GetNumAtoms()).tolist())
    Chem.SanitizeMol(made)
    return made


@pytest.mark.parametrize("smiles", [UNSYMMETRIC, *SYMMETRIC])
def test_motions_and_numbering_change_nothing(smiles: str) -> None:
    mol = posed(smiles)
    expected = encode_conformers(mol)
    assert expected.shape == (3, CODE_SIZE)
    random = np.random.default_rng(0)
    for _ in range(4):
        rotation = Rotation.random(rng=random).as_matrix()
        moved = with_positions(mol, positions(mol) @ rotation.T + random.normal(size=3))
        np.testing.assert_allclose(encode_conformers(renumbered(moved, random)), expected, atol=1e-5)


@pytest.mark.parametrize("smiles", ["CCCC", "C1CCCCC1", "Cc1ccccc1-c1ccccc1", "CN(CCC)C1CC1"])
def test_different_conformers_have_different_codes(smiles: str) -> None:
    mol = posed(smiles, 1)
    turned = sample_etkdg(full(smiles), 12, 3)
    found = encode_positions(code_layout(mol), turned)
    assert np.ptp(found, axis=0).max() > 0.1


def test_the_mirror_image_changes_the_signs_of_sines_and_volumes() -> None:
    mol = posed(UNSYMMETRIC)
    code = encode_conformers(mol)
    image = encode_conformers(with_positions(mol, -positions(mol)))
    signs = np.ones(CODE_SIZE)
    signs[1:112:2] = signs[112:] = -1
    np.testing.assert_allclose(image, code * signs, atol=1e-9)
    assert np.abs(image - code).max() > 0.5


@pytest.mark.parametrize("smiles", SYMMETRIC)
def test_of_symmetric_molecules_some_reading_is_mirrored(smiles: str) -> None:
    mol = posed(smiles, 2)
    signs = np.ones(CODE_SIZE)
    signs[1:112:2] = signs[112:] = -1
    images = encode_conformers(with_positions(mol, -positions(mol)))
    readings = read(code_layout(mol), positions(mol)).codes
    for image, codes in zip(images, readings, strict=True):
        assert np.abs(codes * signs - image).max(axis=1).min() < 1e-9


def test_the_parts_are_where_they_are_said_to_be() -> None:
    code = encode_conformers(posed("CCCN(C)C1CCCCC1", 1))[0]
    assert np.flatnonzero(code).tolist() == [*range(6), *range(64, 76), 112]
    assert np.abs(np.linalg.norm(code[:112].reshape(-1, 2), axis=1).round(9) - 0.5).max() == 0.5
    assert not encode_conformers(posed("c1ccccc1", 1)).any()
    assert not encode_conformers(posed("C1CC1", 1)).any()
    assert not encode_conformers(posed("O", 1)).any()


@pytest.mark.parametrize(
    ("smiles", "fold"),
    [("CCc1ccccc1", [2]), ("CCc1ccc(CC)cc1", [1, 1]), ("FC(F)(F)CC", [3]), ("CCCC", [1])],
)
def test_turns_count_as_nothing_only_where_nothing_else_turns(smiles: str, fold: list[int]) -> None:
    assert code_layout(full(smiles)).fold.tolist() == fold


def test_angles_come_back() -> None:
    mol = posed(UNSYMMETRIC)
    layout = code_layout(mol)
    codes = encode_conformers(mol)
    from molae.chem.torsions import measure_torsions

    np.testing.assert_allclose(
        torsion_angles(layout, codes), measure_torsions(positions(mol), layout.torsions), atol=1e-9
    )


def test_what_no_turn_changes_counts_most_of_a_start() -> None:
    wanted = np.zeros(CODE_SIZE)
    turned, puckered = np.zeros((2, CODE_SIZE))
    turned[0], puckered[64] = 2.0, 0.5
    far, near = start_distances(np.stack([puckered, turned]), wanted)
    assert far == pytest.approx(0.5)
    assert near == pytest.approx(0.2)


def test_readings_take_hydrogens_along() -> None:
    mol = full("CC(C)CNCC(C)C")
    for order in find_readings(mol):
        assert sorted(order) == list(range(mol.GetNumAtoms()))
        for bond in mol.GetBonds():
            ends = order[bond.GetBeginAtomIdx()], order[bond.GetEndAtomIdx()]
            assert mol.GetBondBetweenAtoms(*map(int, ends)) is not None


def test_hands_are_told() -> None:
    mol = posed("CCC(CCC)CC", 1)
    handed = find_handedness(mol)
    assert len(handed.centres) == 1
    pos = positions(mol)
    assert (handed.measure(pos) == -handed.measure(-pos)).all()
    signs = {handed.measure(pos[:, order]).item() for order in find_readings(mol)}
    assert signs == {-1, 1}


def test_codes_are_blended_the_shorter_way() -> None:
    codes = np.zeros((2, CODE_SIZE))
    for code, degrees in zip(codes, (170, -170), strict=True):
        code[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    codes[1, 112] = 0.5
    found = blend(*codes, np.linspace(0, 1, 3))
    np.testing.assert_allclose(found[[0, 2]], codes, atol=1e-12)
    np.testing.assert_allclose(found[1, :2], [-1, 0], atol=1e-12)
    assert found[1, 112] == 0.25
    assert not found[:, 2:112].any()


def test_what_has_no_code_says_so() -> None:
    with pytest.raises(RowError, match="37 bonds that turn, a code takes 32"):
        code_layout(full("C" * 40))
    with pytest.raises(RowError, match="several pieces"):
        code_layout(full("CC.CC"))
    with pytest.raises(RowError, match="AddHs"):
        code_layout(Chem.MolFromSmiles("CC"))
    with pytest.raises(RowError, match="without heavy atoms"):
        code_layout(full("[H][H]"))
