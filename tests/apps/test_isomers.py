"""A model without coordinates: from SMILES to codes and back, no conformer made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from smallmodel import ISOMER_SCHEMA, KNOWN

import molae
from molae.apps import molecules
from molae.apps.embed import embed, embed_read, to_batch
from molae.apps.evaluate import evaluate_reconstruction
from molae.apps.molecules import as_source, molecule_schema, read_conformers, read_molecule
from molae.apps.reading import try_embeddable, try_sample
from molae.apps.rows import Source
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.chem.featurise import featurise_isomer


@pytest.fixture(autouse=True)
def no_conformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molecules, "embed_conformers", lambda *arguments: pytest.fail("made a conformer"))


def posed(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=5)
    Chem.RemoveStereochemistry(mol)
    return mol


def test_molecules_come_back(isomer_model_path: Path) -> None:
    results = molae.reconstruct([*KNOWN, "bad"], isomer_model_path)
    assert [result.smiles for result in results[:-1]] == [Chem.CanonSmiles(smiles) for smiles in KNOWN]
    assert all(result.exact and np.isnan(result.rmsd) for result in results[:-1])
    assert all(result.mol.GetNumConformers() == 0 for result in results[:-1])
    assert results[-1].error.kind == "unparsable"


def test_decoded_atoms_are_in_the_order_of_the_original(isomer_model_path: Path) -> None:
    for smiles in ("Cl[C@@H](F)C", "OC(=O)C", "NCC"):
        (result,) = molae.reconstruct([smiles], isomer_model_path)
        assert Chem.MolToSmiles(result.mol) == Chem.CanonSmiles(smiles)
        symbols = [atom.GetSymbol() for atom in result.mol.GetAtoms()]
        assert symbols == [atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles).GetAtoms()]


def test_the_spelling_does_not_matter_and_the_hand_does(isomer_model_path: Path) -> None:
    drug = Chem.MolFromSmiles("CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O")
    spellings = Chem.MolToRandomSmilesVect(drug, 4, randomSeed=1)
    first, *others, mirrored = molae.embed([*spellings, "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O"], isomer_model_path)
    np.testing.assert_allclose(others, first[None].repeat(3, axis=0), atol=1e-6)
    assert np.abs(mirrored - first).max() > 1e-3


@pytest.mark.parametrize("smiles", ["C[C@H](F)Cl", "C[C@@H](F)Cl", "C/C=C\\O", "[H]/N=C/C"])
def test_positions_tell_the_stereo_and_no_more(smiles: str, isomer_model_path: Path) -> None:
    from_text, from_positions = molae.embed([smiles, posed(smiles)], isomer_model_path)
    np.testing.assert_allclose(from_positions, from_text, atol=1e-6)
    assert read_molecule(as_source(posed(smiles)), ISOMER_SCHEMA).mol.GetNumConformers() == 0


def test_there_is_one_molecule_however_many_conformers_are_asked_for() -> None:
    assert len(read_conformers("CCCCO", ISOMER_SCHEMA, 5)) == 1


def test_hydrogens_may_be_nodes() -> None:
    schema = ISOMER_SCHEMA.model_copy(update={"hydrogens": True})
    assert len(read_molecule("C[C@H](F)Cl", schema).graph) == 8


def test_stereo_that_has_no_category_is_noted() -> None:
    assert read_molecule("F[P@TB1](Cl)(Br)(N)O", ISOMER_SCHEMA).notes == (
        "stereo left out: of an axis, or a centre that is not tetrahedral",
    )
    assert read_molecule("CC(N)C(=O)O", ISOMER_SCHEMA).notes == ()


def test_processes_give_the_same(isomer_model_path: Path) -> None:
    alone = molae.embed(KNOWN, isomer_model_path)
    np.testing.assert_array_equal(molae.embed(KNOWN, isomer_model_path, num_workers=1), alone)


def test_a_line_leads_from_one_molecule_to_the_other(isomer_model_path: Path) -> None:
    mols = molae.interpolate("CO", "C[C@H](F)Cl", steps=3, model=isomer_model_path)
    assert [Chem.MolToSmiles(mols[i]) for i in (0, -1)] == ["CO", "C[C@H](F)Cl"]


def test_figures_of_positions_are_absent(isomer_model_path: Path, tmp_path: Path) -> None:
    (tmp_path / "x.smi").write_text("\n".join([*KNOWN, "bad"]) + "\n")
    figures = evaluate_reconstruction(Source(tmp_path / "x.smi"), isomer_model_path)["figures"]
    assert (figures["count"], figures["failed"], figures["stereo_count"]) == (9, 1, 2)
    assert figures["exact_rate"] == pytest.approx(8 / 9)
    assert (figures["rmsd_count"], figures["rmsd_action_mean"]) == (0, None)


def test_ranks_are_made_where_they_are_needed() -> None:
    read = read_molecule("CC(C)(C)c1ccccc1", molecule_schema(20, coordinates=False))
    assert read.graph.tie is None
    assert read.ranked().tie.tolist() == featurise_isomer(read.mol).tie.tolist()
    assert max(read.ranked().tie) == 2


@pytest.mark.parametrize("layers", [0, 2])
def test_a_model_gets_the_ranks_it_reads(layers: int) -> None:
    schema = molecule_schema(20, coordinates=False)
    model = Autoencoder(AutoencoderConfig(encoder={"name": "slots", "layers": layers}), schema)
    molecules = [read_molecule(smiles, schema) for smiles in ("CC(C)C", "c1ccccc1")]
    assert (to_batch(model, molecules).tie is None) == (layers == 0)
    assert embed(["CC(C)C", "c1ccccc1"], model).shape == (2, 256)


def test_what_is_embedded_is_read_without_its_molecule() -> None:
    schema = molecule_schema(20, coordinates=False)
    line, ranked = try_embeddable("CC(C)C.O", schema), try_embeddable("CC(C)C.O", schema, ranked=True)
    assert not hasattr(line, "graph")
    assert not hasattr(ranked, "mol")
    assert len(line) == len(ranked) == 4
    assert ranked.graph.tie.max() == 2
    assert line.notes == ranked.notes == read_molecule("CC(C)C.O", schema).notes != ()
    for failed in ("C1CC", "[Xe]", "C" * 21):
        assert vars(try_embeddable(failed, schema)) == vars(try_sample(failed, schema))


def test_codes_are_the_same_from_lines_and_from_graphs() -> None:
    model = molae.load("graph")
    smiles = ["C[C@H](N)C(=O)O", "CCO", "C/C=C/c1ccccc1", "O=c1[nH]cnc2[nH]cnc12"]
    lines, graphs = ([read(each, model.schema) for each in smiles] for read in (try_embeddable, try_sample))
    found, errors = embed_read(model, lines)
    assert errors == [None] * 4
    np.testing.assert_allclose(found, embed_read(model, graphs)[0], rtol=0, atol=1e-4)
