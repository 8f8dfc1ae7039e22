from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molae.chem.descriptors import (
    DESCRIPTOR_NAMES,
    FINGERPRINT_KINDS,
    FINGERPRINT_SIZE,
    descriptors,
    ecfp_counts,
    fingerprint_counts,
)
from molae.chem.scaffolds import scaffold, skeleton


def test_descriptors_come_in_the_order_asked_for() -> None:
    mol = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
    every = descriptors(mol)
    assert every.dtype == np.float32
    assert len(every) == len(DESCRIPTOR_NAMES)
    some = descriptors(mol, ["RingCount", "MolWt"])
    np.testing.assert_allclose(some, [1, 180.159], rtol=1e-4)
    assert every[DESCRIPTOR_NAMES.index("MolWt")] == some[1]
    with pytest.raises(KeyError):
        descriptors(mol, ["NoSuchThing"])


def test_what_float32_cannot_hold_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(mol: Chem.Mol) -> float:
        raise ValueError("no")

    known = {"a": lambda mol: 1e300, "b": lambda mol: float("inf"), "c": fails, "d": lambda mol: 2}
    monkeypatch.setattr("molae.chem.descriptors._KNOWN", known)
    found = descriptors(Chem.MolFromSmiles("C"), ["a", "b", "c", "d"])
    assert np.isnan(found).tolist() == [True, True, True, False]


def test_numbering_does_not_matter() -> None:
    mol = Chem.MolFromSmiles("CCc1ccc(O)cc1")
    turned = Chem.RenumberAtoms(mol, list(reversed(range(mol.GetNumAtoms()))))
    np.testing.assert_allclose(descriptors(mol), descriptors(turned), rtol=1e-4)
    np.testing.assert_array_equal(ecfp_counts(mol), ecfp_counts(turned))
    assert ecfp_counts(mol).max() > 1


@pytest.mark.parametrize("smiles", ["OC1CC(c2ccccc2)CC1n1cc(C2CC2)nn1", "CCCN1CC[C@]2(C)C[C@H]2CC1"])
def test_fingerprints_do_not_depend_on_the_order(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    generator = np.random.default_rng(0)
    for _ in range(5):
        turned = Chem.RenumberAtoms(mol, generator.permutation(mol.GetNumAtoms()).tolist())
        np.testing.assert_array_equal(fingerprint_counts(turned), fingerprint_counts(mol))


def test_fingerprints_are_five_kinds_that_tell_stereo() -> None:
    def kinds(smiles: str) -> np.ndarray:
        counts = fingerprint_counts(Chem.MolFromSmiles(smiles))
        assert counts.shape == (FINGERPRINT_SIZE,)
        return counts.reshape(FINGERPRINT_KINDS, -1)

    assert (kinds("CCCC(=O)Nc1ccccc1").sum(axis=1) > 0).all()
    for first, second, told in (
        ("C[C@H](F)Cl", "C[C@@H](F)Cl", [True, True, False, False, False]),
        ("C/C=C/C", r"C/C=C\C", [True, False, False, True, False]),
    ):
        assert (kinds(first) != kinds(second)).any(axis=1).tolist() == told


def test_scaffolds_and_skeletons() -> None:
    assert scaffold(Chem.MolFromSmiles("CCCC")) == ""
    assert scaffold(Chem.MolFromSmiles("C[C@H]1CCCO1")) == scaffold(Chem.MolFromSmiles("CC[C@@H]1CCCO1"))
    assert skeleton(Chem.MolFromSmiles("C/C=C/C")) == skeleton(Chem.MolFromSmiles("C/C=C\\C"))
