from __future__ import annotations

import pickle

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from smallmodel import SCHEMA

from molae.apps import molecules
from molae.apps.molecules import (
    as_source,
    as_sources,
    read_conformers,
    read_molecule,
    try_read,
)
from molae.chem.conformers import embed_conformers
from molae.errors import DataError, RowError
from molae.io import Row

HYDROGENS = SCHEMA.model_copy(update={"hydrogens": True})


def with_conformer(smiles: str, hydrogens: bool = True) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=3)
    return mol if hydrogens else Chem.RemoveHs(mol)


@pytest.mark.parametrize(
    ("smiles", "atoms"), [("C", 1), ("[Cl-]", 1), ("[H][H]", 2), ("N#N", 2), ("Cl", 1), ("O=C=O", 3)]
)
def test_small_molecules_work(smiles: str, atoms: int) -> None:
    molecule = read_molecule(smiles, SCHEMA)
    assert len(molecule.graph) == atoms
    assert np.isfinite(molecule.graph.pos).all()


def test_given_coordinates_are_kept_to_the_last_digit() -> None:
    mol = with_conformer("C[C@H](N)O", hydrogens=False)
    molecule = read_molecule(as_source(mol), SCHEMA)
    np.testing.assert_array_equal(molecule.graph.pos, mol.GetConformer().GetPositions())
    np.testing.assert_array_equal(molecule.mol.GetConformer().GetPositions(), molecule.graph.pos)
    assert Chem.MolToSmiles(molecule.mol) == "C[C@H](N)O"


def test_nothing_is_lost_on_the_way_to_another_process() -> None:
    molecule = read_molecule(as_source(with_conformer("C[C@H](N)O")), SCHEMA)
    again = pickle.loads(pickle.dumps(molecule))
    np.testing.assert_array_equal(again.mol.GetConformer().GetPositions(), molecule.graph.pos)
    np.testing.assert_array_equal(again.graph.pos, molecule.graph.pos)
    assert Chem.MolToSmiles(again.mol) == "C[C@H](N)O"


def test_nodes_are_the_atoms_of_the_molecule() -> None:
    molecule = read_molecule("OCC.[Na+]", SCHEMA)
    assert [atom.GetSymbol() for atom in molecule.mol.GetAtoms()] == ["O", "C", "C"]
    assert molecule.notes == ("fragments removed: [Na+]",)


def test_hydrogens_are_nodes_where_the_schema_says_so() -> None:
    molecule = read_molecule(as_source(with_conformer("CO")), HYDROGENS)
    assert sorted(atom.GetSymbol() for atom in molecule.mol.GetAtoms()) == ["C", *"HHHH", "O"]
    assert len(molecule.graph) == 6
    assert molecule.graph.nodes[:, 2].tolist() == [0] * 6


def test_hydrogens_that_are_nodes_keep_their_positions() -> None:
    mol = with_conformer("C[C@H](N)O")
    # Where RDKit would not put them.
    mol.GetConformer().SetPositions(mol.GetConformer().GetPositions() * 1.07)
    molecule = read_molecule(as_source(mol), HYDROGENS)
    np.testing.assert_array_equal(molecule.graph.pos, mol.GetConformer().GetPositions())


def test_hydrogens_that_are_nodes_have_the_positions_of_the_conformer() -> None:
    several = read_conformers("CCCO", HYDROGENS, 3)
    posed = embed_conformers(Chem.MolFromSmiles("CCCO"), 3, hydrogens=True)
    assert len(several) == len(posed) > 1
    for molecule, mol in zip(several, posed, strict=True):
        np.testing.assert_array_equal(molecule.graph.pos, mol.GetConformer().GetPositions())


def test_hydrogens_that_are_nodes_count_as_atoms() -> None:
    with pytest.raises(RowError, match="26 atoms"):
        read_molecule("CCCCCCCC", HYDROGENS)


@pytest.mark.parametrize(
    ("molecule", "kind"),
    [
        (None, "empty"),
        (float("nan"), "empty"),
        ("", "empty"),
        ("C1CC", "unparsable"),
        ("C(C)(C)(C)(C)C", "invalid"),
        ("[He]", "element"),
        ("C" * 25, "too_large"),
        (5, "type"),
        (Row(1, error=RowError("no", "binary")), "binary"),
        (Chem.Mol(), "no_atoms"),
    ],
)
def test_a_reason_is_given_for_what_cannot_be_read(molecule: object, kind: str) -> None:
    with pytest.raises(RowError) as refused:
        read_molecule(as_source(molecule), SCHEMA)
    assert refused.value.kind == kind


def test_positions_that_are_no_numbers_are_refused() -> None:
    mol = with_conformer("CO")
    mol.GetConformer().SetAtomPosition(0, (float("nan"), 0, 0))
    with pytest.raises(RowError, match="not finite"):
        read_molecule(as_source(mol), SCHEMA)


def test_what_the_model_cannot_take_is_refused_before_the_costly_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(molecules, "embed_conformers", lambda *arguments: pytest.fail("made a conformer"))
    with pytest.raises(RowError, match="at most 24"):
        read_molecule("C" * 25, SCHEMA)


def test_an_unexpected_error_is_that_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(text: str) -> Chem.Mol:
        raise RuntimeError("Invariant Violation\nmore")

    monkeypatch.setattr(molecules, "parse_smiles", break_down)
    error = try_read("C", SCHEMA)
    assert isinstance(error, RowError)
    assert (error.kind, "Invariant Violation" in error.reason) == ("unexpected", True)
    assert "\n" not in error.reason


def test_several_conformers_differ() -> None:
    several = read_conformers("CCCCCO", SCHEMA, 4)
    assert len({molecule.graph.pos.tobytes() for molecule in several}) == len(several) > 1
    assert len(read_conformers(as_source(with_conformer("CCCCCO")), SCHEMA, 4)) == 1


@pytest.mark.parametrize("single", ["CCO", Chem.MolFromSmiles("CCO")])
def test_a_single_molecule_is_no_list(single: object) -> None:
    with pytest.raises(DataError, match="put it in a list"):
        as_sources(single)  # type: ignore[arg-type]


class _Unwritable(Chem.Mol):
    """Does as RDKit does with some molecules of damaged SD files."""

    def ToBinary(self, properties: int = 0) -> bytes:
        raise OverflowError("bad numeric conversion: positive overflow")


def test_a_molecule_that_rdkit_cannot_write_is_a_bad_row() -> None:
    source = as_source(_Unwritable(Chem.MolFromSmiles("C")))
    assert isinstance(source, RowError)
    assert source.kind == "invalid"
