from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.chem.conformers import embed_conformer
from molae.chem.featurise import featurise
from molae.chem.rebuild import rebuild
from molae.chem.vocabulary import BONDS, ELEMENTS
from molae.errors import RowError

MOLECULES = [
    "C",
    "[NH4+]",
    "[CH3]",
    "C[N+](C)(C)CC(=O)[O-]",
    "O=C(O)[C@@H](N)Cc1c[nH]c2ccccc12",
    "C/C=C/C",
    "C/C=C\\C",
    "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",
    "C[C@H](O)[C@@H](O)C",
    "FS(F)(F)(F)(F)F",
    "O=[N+]([O-])c1ccccc1",
]


@pytest.mark.parametrize("smiles", MOLECULES)
def test_a_molecule_comes_back_from_its_arrays_in_any_order(smiles):
    mol = embed_conformer(Chem.MolFromSmiles(smiles))
    graph = featurise(mol)
    order = np.random.default_rng(0).permutation(len(graph))
    back = rebuild(graph.nodes[order], graph.edges[np.ix_(order, order)], graph.pos[order])
    assert Chem.MolToSmiles(back) == Chem.CanonSmiles(smiles)
    np.testing.assert_allclose(back.GetConformer().GetPositions(), graph.pos[order])


def test_a_mirror_image_comes_back_as_the_other_hand():
    graph = featurise(embed_conformer(Chem.MolFromSmiles("C[C@H](N)C(=O)O")))
    back = rebuild(graph.nodes, graph.edges, -graph.pos)
    assert Chem.MolToSmiles(back) == Chem.CanonSmiles("C[C@@H](N)C(=O)O")


def test_without_positions_there_is_no_stereo():
    graph = featurise(Chem.MolFromSmiles("C[C@H](N)C(=O)O"))
    back = rebuild(graph.nodes, graph.edges, None)
    assert Chem.MolToSmiles(back) == "CC(N)C(=O)O"
    assert back.GetNumConformers() == 0


def test_explicit_hydrogens_come_back():
    graph = featurise(Chem.AddHs(Chem.MolFromSmiles("CO")))
    assert rebuild(graph.nodes, graph.edges, None).GetNumAtoms() == 6


@pytest.mark.parametrize("bond", [Chem.BondType.TRIPLE, Chem.BondType.AROMATIC])
def test_nothing_is_repaired(bond):
    """Two triple bonds at an oxygen, or an aromatic bond outside of a ring, are no molecule."""
    nodes = np.array([[ELEMENTS.index(e), 0, 0, 0] for e in "COC"])
    edges = np.zeros((3, 3), dtype=np.int64)
    edges[0, 1] = edges[1, 0] = edges[1, 2] = edges[2, 1] = BONDS.index(bond)
    with BlockLogs(), pytest.raises(RowError, match="no valid molecule") as caught:
        rebuild(nodes, edges, None)
    assert caught.value.kind == "not_sanitised"
