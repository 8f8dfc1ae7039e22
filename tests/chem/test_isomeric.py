import numpy as np
import pytest
from rdkit import Chem

from molae.chem.etkdg import sample_etkdg
from molae.chem.isomers import (
    is_same_isomer,
    isomeric_smiles,
    keep_configurations,
    open_isomers,
    with_positions,
)
from molae.chem.parse import parse_smiles, prepare
from molae.errors import RowError

CHIRAL = ["C[C@H](N)C(=O)O", "C[C@@H]1CC[C@H](O)C[C@H]1F", "C1[C@H]2C[C@@H]1[C@@H]1C[C@H]2C1"]
OTHER = ["F/C=C/Cl", "C[C@H]1CC[C@@H](C)CC1", "CCO", "O=c1cc[nH]cc1", "[H]/N=C/CC"]


def whole(smiles: str) -> Chem.Mol:
    return prepare(parse_smiles(smiles), hydrogens=True).mol


@pytest.mark.parametrize("smiles", [*CHIRAL, *OTHER])
def test_samples_are_the_isomer_that_was_written(smiles: str) -> None:
    mol = whole(smiles)
    positions = sample_etkdg(mol, 4)
    assert positions.shape == (4, mol.GetNumAtoms(), 3)
    assert keep_configurations(mol, positions).all()
    posed = with_positions(mol, positions)
    assert posed.GetNumConformers() == 4
    assert np.allclose(posed.GetConformer(2).GetPositions(), positions[2])
    plain = Chem.MolToSmiles(prepare(parse_smiles(smiles)).mol)
    # RDKit's canonical SMILES of the cage depends on the numbering.
    assert isomeric_smiles(posed) == plain or is_same_isomer(posed, with_positions(mol, positions[1:]))


@pytest.mark.parametrize("smiles", [*CHIRAL[:2], *OTHER, "[2H]C([2H])C", "[H][H]", "C", "C[P@](=O)(O)CC"])
def test_hydrogens_may_be_put_where_there_is_room(smiles: str) -> None:
    mol = whole(smiles)
    positions = sample_etkdg(mol, 3, hydrogens=False)
    assert positions.shape == (3, mol.GetNumAtoms(), 3)
    assert keep_configurations(mol, positions).all()
    bonds = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()])
    embedded = sample_etkdg(mol, 3)
    lengths, expected = (
        np.linalg.norm(each[:, bonds[:, 0]] - each[:, bonds[:, 1]], axis=-1) for each in (positions, embedded)
    )
    assert np.allclose(lengths, expected, atol=0.12)
    apart = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    apart += 9 * np.eye(mol.GetNumAtoms())
    assert apart.min() > 0.6


@pytest.mark.parametrize("smiles", CHIRAL[:2])
def test_mirror_images_are_told_apart(smiles: str) -> None:
    mol = whole(smiles)
    positions = sample_etkdg(mol, 2)
    mixed = np.array([positions[0], -positions[1]])
    assert keep_configurations(mol, mixed).tolist() == [True, False]
    assert not is_same_isomer(with_positions(mol, mixed[:1]), with_positions(mol, mixed[1:]))


def test_one_wrong_centre_of_several_is_seen() -> None:
    right, wrong = whole("C[C@H](F)CC[C@H](F)Cl"), whole("C[C@H](F)CC[C@@H](F)Cl")
    assert not keep_configurations(right, sample_etkdg(wrong, 3)).any()
    assert not keep_configurations(whole("F/C=C/Cl"), sample_etkdg(whole("F/C=C\\Cl"), 2)).any()


def test_what_is_open_may_be_either() -> None:
    mol = whole("CC(F)Cl")
    positions = sample_etkdg(mol, 1)
    assert keep_configurations(mol, np.array([positions[0], -positions[0]])).all()


def test_open_stereo_is_enumerated() -> None:
    mol = prepare(parse_smiles("CC(F)C(Cl)C=CO")).mol
    found = [Chem.MolToSmiles(isomer) for isomer in open_isomers(mol, 0, 64)]
    assert len(set(found)) == len(found) == 8
    # Two of the four ways to write it are one molecule.
    assert len(list(open_isomers(prepare(parse_smiles("CC(F)C(F)C")).mol, 0, 64))) == 3
    assert len(list(open_isomers(mol, 0, 3))) == 3


def test_the_same_seed_gives_the_same_conformers() -> None:
    mol = whole("CC(C)CC(=O)N")
    first = sample_etkdg(mol, 3, seed=1)
    assert (first == sample_etkdg(mol, 3, seed=1)).all()
    other = sample_etkdg(mol, 3, seed=2)
    assert all(np.abs(a - b).max() > 1e-3 for a in first for b in other)


def test_what_cannot_be_built_says_so() -> None:
    with pytest.raises(RowError) as caught:
        sample_etkdg(whole("C[C@H]1C2C[C@H]1C2"), 1, time_limit=0)
    assert caught.value.kind == "embed_timeout"
    # The other isomer of a small cage.
    with pytest.raises(RowError) as caught:
        sample_etkdg(whole("C[C@]12CC[C@@](F)(C1)C2"), 1, time_limit=3)
    assert caught.value.kind in ("embed_failed", "embed_timeout", "stereo_mismatch")
