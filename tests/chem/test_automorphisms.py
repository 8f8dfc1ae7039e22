import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from molae.chem.automorphisms import automorphisms, isomorphisms, same_stereo


@pytest.mark.parametrize(
    ("smiles", "count"),
    [
        ("C", 1),
        ("O=C=O", 2),
        ("c1ccccc1", 12),
        ("CC(C)(C)C", 24),
        ("C12C3C4C1C5C2C3C45", 48),
        ("CC(=O)[O-]", 1),
        ("c1cnc[nH]1", 1),
        ("[CH2]CC", 1),
        ("C[C@H](F)C(=O)[C@@H](F)C", 2),
    ],
)
def test_group_order(smiles: str, count: int) -> None:
    found = automorphisms(Chem.MolFromSmiles(smiles))
    assert len(np.unique(found, axis=0)) == len(found) == count
    assert (found[0] == np.arange(found.shape[1])).all()


def test_beyond_the_limit_a_sample_that_moves_every_part() -> None:
    mol = Chem.MolFromSmiles("FC(F)(F)C(C(F)(F)F)(C(F)(F)F)C(F)(F)F")
    found = automorphisms(mol, limit=200)
    assert 150 < len(found) <= 200
    assert (found[0] == np.arange(17)).all()
    adjacency = Chem.GetAdjacencyMatrix(mol)
    assert all((adjacency[np.ix_(p, p)] == adjacency).all() for p in found)
    fluorine = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() == 9]
    assert (found != np.arange(17)).mean(axis=0)[fluorine].min() > 0.5
    assert (automorphisms(mol, limit=200) == found).all()


@given(st.integers(0, 2**31))
def test_isomorphisms_undo_a_renumbering(seed: int) -> None:
    mol = Chem.MolFromSmiles("Cc1ccc(C(=O)[O-])cc1C(C)C")
    order = np.random.default_rng(seed).permutation(mol.GetNumAtoms())
    found = isomorphisms(mol, Chem.RenumberAtoms(mol, order.tolist()))
    assert any((order[each] == np.arange(len(order))).all() for each in found)


def test_different_graphs_have_none() -> None:
    assert isomorphisms(Chem.MolFromSmiles("CCO"), Chem.MolFromSmiles("CCN")).shape == (0, 3)
    assert isomorphisms(Chem.MolFromSmiles("CC[O-]"), Chem.MolFromSmiles("CCO")).shape == (0, 3)
    assert isomorphisms(Chem.MolFromSmiles("CC"), Chem.MolFromSmiles("CCO")).shape == (0, 2)


def test_same_stereo() -> None:
    right, left, open_ = (Chem.MolFromSmiles(s) for s in ("C[C@H](F)Cl", "C[C@@H](F)Cl", "CC(F)Cl"))
    assert same_stereo(right, Chem.MolFromSmiles("F[C@@H](C)Cl"))
    assert same_stereo(right, right)
    assert not same_stereo(right, left)
    assert not same_stereo(right, open_)
    assert not same_stereo(open_, right)
