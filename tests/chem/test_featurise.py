from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molae.chem.conformers import embed_conformer
from molae.chem.featurise import featurise
from molae.chem.vocabulary import BONDS, CHARGES, ELEMENTS, MOST_HYDROGENS, MOST_RADICALS, NODE_CHANNELS
from molae.errors import RowError


def parsed(smiles, sanitize=True):
    return Chem.MolFromSmiles(smiles, sanitize=sanitize)


def atom(smiles, index=0):
    element, charge, hydrogens, radicals = featurise(parsed(smiles)).nodes[index]
    return ELEMENTS[element], CHARGES[charge], hydrogens, radicals


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("C", ("C", 0, 4, 0)),
        ("[NH4+]", ("N", 1, 4, 0)),
        ("[O-]C", ("O", -1, 0, 0)),
        ("[CH3]", ("C", 0, 3, 1)),
        ("[CH2]", ("C", 0, 2, 2)),
        ("c1ccc[nH]1", ("C", 0, 1, 0)),
        ("[2H]C", ("H", 0, 0, 0)),
        ("[O-2]", ("O", -2, 0, 0)),
    ],
)
def test_categories_of_an_atom(smiles, expected):
    assert atom(smiles) == expected


def test_bonds_are_symmetric_and_named():
    edges = featurise(parsed("C=CC#Cc1ccccc1")).edges
    np.testing.assert_array_equal(edges, edges.T)
    assert [BONDS[edges[i, i + 1]].name for i in range(5)] == [
        "DOUBLE",
        "SINGLE",
        "TRIPLE",
        "SINGLE",
        "AROMATIC",
    ]
    assert edges[0, 2] == 0


def test_every_category_fits_its_channel():
    graph = featurise(parsed("[NH3+]Cc1ccc(S(=O)(=O)[O-])cc1"))
    assert [name for name, _ in NODE_CHANNELS] == ["element", "charge", "hydrogens", "radicals"]
    assert (graph.nodes < [size for _, size in NODE_CHANNELS]).all()
    assert NODE_CHANNELS[2][1] == MOST_HYDROGENS + 1
    assert NODE_CHANNELS[3][1] == MOST_RADICALS + 1


def test_hydrogens_that_are_atoms_are_nodes_and_not_counted():
    graph = featurise(Chem.AddHs(parsed("CO")))
    assert len(graph) == 6
    # Not counted again on the atoms that bear them.
    counted = [parsed("CO").GetAtomWithIdx(i).GetTotalNumHs() for i in (0, 1)]
    assert counted == [3, 1]
    assert graph.nodes[:, 2].tolist() == [0] * 6


def test_positions_are_those_of_the_conformer():
    mol = embed_conformer(parsed("CCO"))
    graph = featurise(mol)
    np.testing.assert_array_equal(graph.pos, mol.GetConformer().GetPositions())
    assert featurise(parsed("CCO")).pos is None


@pytest.mark.parametrize(
    ("smiles", "kind", "reason"),
    [
        ("[Na+]", "element", "element Na"),
        ("[C+4]", "charge", r"charge \+4 on C"),
        ("[SiH5]", "valence", "5 hydrogens on Si"),
        ("[N]", "radical", "3 unpaired electrons"),
        ("CCCCC", "too_large", "5 atoms, the model takes at most 4"),
        ("[NH3]->B", "bond", "dative"),
    ],
)
def test_what_the_model_does_not_know_is_refused_with_a_reason(smiles, kind, reason):
    mol = parsed(smiles, sanitize=False)
    mol.UpdatePropertyCache(strict=False)
    Chem.AssignRadicals(mol)
    with pytest.raises(RowError, match=reason) as caught:
        featurise(mol, max_nodes=4)
    assert caught.value.kind == kind
