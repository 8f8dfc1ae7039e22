from __future__ import annotations

import math

import pytest
from rdkit import Chem

from molae.metrics.molecule_sets import compare_molecules, is_whole


def mols(*smiles: str) -> list[Chem.Mol]:
    return [Chem.MolFromSmiles(each) for each in smiles]


def test_equal_sets_are_no_distance_apart() -> None:
    first = mols("CCO", "c1ccccc1", "CC(=O)O")
    figures = compare_molecules(first, first[::-1])
    assert figures["weight_distance"] == figures["logp_distance"] == figures["qed_distance"] == 0
    assert 0.5 < figures["diversity"] <= 1


def test_distances_are_those_of_the_means_where_one_set_is_a_single_molecule() -> None:
    figures = compare_molecules(mols("C", "CC"), mols("CCC"))
    # Methane and ethane are 28.05 and 14.03 Da lighter than propane.
    assert figures["weight_distance"] == pytest.approx((28.054 + 14.027) / 2, abs=1e-2)
    assert math.isnan(figures["diversity"])


def test_one_molecule_over_and_over_is_not_diverse() -> None:
    assert compare_molecules(mols("CCO"), mols("CCO", "CCO"))["diversity"] == 0


def test_empty_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1 and 0"):
        compare_molecules(mols("C"), [])


def test_pieces_and_radicals_are_not_whole() -> None:
    assert [is_whole(mol) for mol in mols("CCO", "CC.O", "C[CH2]", "[O-]C(=O)C")] == [
        True,
        False,
        False,
        True,
    ]
