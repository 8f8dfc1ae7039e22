from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from scipy.spatial.transform import Rotation
from smallmodel import CONFIG, ISOMER_SCHEMA, KNOWN, small_model

import molae
from molae.apps.embed import to_batch
from molae.apps.reading import try_embeddable, try_sample
from molae.errors import CheckpointError, ConfigError, RowError

DRUG = "CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O"


def spellings(smiles: str, count: int) -> list[str]:
    mol = Chem.MolFromSmiles(smiles)
    random = np.random.default_rng(0)
    orders = [random.permutation(mol.GetNumAtoms()).tolist() for _ in range(count)]
    return [Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False) for order in orders]


def test_failures_keep_their_place(model_path: Path) -> None:
    mixed = [KNOWN[0], "not a molecule", KNOWN[1], None, "[He]", KNOWN[2]]
    vectors = molae.embed(mixed, model_path)
    assert (vectors.shape, vectors.dtype) == ((6, CONFIG.code_size), np.float32)
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True, False, True, True, False]
    alone = molae.embed([KNOWN[0], KNOWN[1], KNOWN[2]], model_path)
    np.testing.assert_allclose(vectors[[0, 2, 5]], alone, atol=1e-5)
    dropped = molae.embed(mixed, model_path, on_error="drop")
    np.testing.assert_array_equal(dropped, vectors[[0, 2, 5]])
    with pytest.raises(RowError, match="molecule 1: not a valid SMILES"):
        molae.embed(mixed, model_path, on_error="fail")


def test_no_molecules_give_no_vectors(model_path: Path) -> None:
    assert molae.embed([], model_path).shape == (0, CONFIG.code_size)
    assert molae.embed(["?"], model_path, on_error="drop").shape == (0, CONFIG.code_size)


def test_the_spelling_does_not_matter(model_path: Path) -> None:
    vectors = molae.embed([DRUG, *spellings(DRUG, 3)], model_path)
    np.testing.assert_allclose(vectors[1:], vectors[:1].repeat(3, axis=0), atol=1e-4)


def test_neither_pose_nor_place_nor_numbering_matter(model_path: Path) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(DRUG))
    rdDistGeom.EmbedMolecule(mol, randomSeed=5)
    moved = Chem.RenumberAtoms(mol, np.random.default_rng(1).permutation(mol.GetNumAtoms()).tolist())
    positions = moved.GetConformer().GetPositions()
    rotation = Rotation.random(rng=np.random.default_rng(2)).as_matrix()
    moved.GetConformer().SetPositions(positions @ rotation.T + [1000.0, -500.0, 3.0])
    first, second = molae.embed([mol, moved], model_path)
    np.testing.assert_allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_does_not_matter(
    model_path: Path, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    molecules = [*KNOWN, "bad", "CCCCCCCCCC", DRUG]
    expected = molae.embed(molecules, model_path)
    monkeypatch.setattr("molae.apps.molecules.CHUNK_SIZE", 4)
    np.testing.assert_allclose(molae.embed(molecules, model_path, batch_size=batch_size), expected, atol=1e-4)


def test_bfloat16_changes_a_vector_by_its_rounding(isomer_model_path: Path) -> None:
    molecules = [*KNOWN, DRUG]
    expected = molae.embed(molecules, isomer_model_path, device="cpu")
    found = molae.embed(molecules, isomer_model_path, device="cpu", precision="bfloat16")
    assert found.dtype == np.float32
    change = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert (change > 0).all()
    assert (change < 0.02).all()


def test_mirror_images_differ_in_the_odd_part_alone(model_path: Path) -> None:
    left = Chem.AddHs(Chem.MolFromSmiles("C[C@H](F)Cl"))
    rdDistGeom.EmbedMolecule(left, randomSeed=5)
    right = Chem.Mol(left)
    right.GetConformer().SetPositions(-left.GetConformer().GetPositions())
    first, second = molae.embed([left, right], model_path)
    even = small_model().encoder.even_size
    np.testing.assert_allclose(first[:even], second[:even], atol=1e-5)
    np.testing.assert_allclose(first[even:], -second[even:], atol=1e-5)
    assert np.abs(first[even:]).max() > 0.01


def test_workers_give_the_same_vectors_and_runs_are_alike(model_path: Path) -> None:
    molecules = [*KNOWN, None, "bad", Chem.MolFromSmiles("CCO")]
    expected = molae.embed(molecules, model_path)
    np.testing.assert_array_equal(molae.embed(molecules, model_path), expected)
    np.testing.assert_array_equal(molae.embed(molecules, model_path, num_workers=1), expected)


def test_the_seed_decides_on_the_conformer(model_path: Path) -> None:
    first, second = (molae.embed(["CCCCCCO"], model_path, seed=seed) for seed in (0, 1))
    assert not np.allclose(first, second, atol=1e-3)


def test_a_loaded_model_is_used_as_it_is(model_path: Path) -> None:
    loaded = molae.load(model_path)
    assert not loaded.training
    np.testing.assert_array_equal(molae.embed(KNOWN, loaded), molae.embed(KNOWN, str(model_path)))
    double = molae.embed(KNOWN, loaded.double())
    assert double.dtype == np.float32
    np.testing.assert_allclose(double, molae.embed(KNOWN, model_path), atol=1e-4)


def test_a_vector_that_is_not_finite_is_a_failure(model_path: Path) -> None:
    broken = molae.load(model_path)
    with torch.no_grad():
        broken.encoder.place.fill_(float("inf"))
    vectors = molae.embed(["CO"], broken)
    assert np.isnan(vectors).all()
    with pytest.raises(RowError, match="no finite vector"):
        molae.embed(["CO"], broken, on_error="fail")


def test_wrong_options_are_refused(model_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no model 'nosuch'"):
        molae.embed(["C"], "nosuch")
    with pytest.raises(ConfigError, match="keep, drop or fail"):
        molae.embed(["C"], model_path, on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least 1"):
        molae.embed(["C"], model_path, batch_size=0)
    with pytest.raises(ConfigError, match="float32 or bfloat16, got 'int8'"):
        molae.embed(["C"], model_path, precision="int8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no device is called 'abacus'"):
        molae.embed(["C"], model_path, device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="finds no GPU"):
            molae.embed(["C"], model_path, device="cuda")


def test_lines_and_graphs_are_not_batched_together() -> None:
    model = small_model(ISOMER_SCHEMA)
    line, graph = (read(KNOWN[0], ISOMER_SCHEMA) for read in (try_embeddable, try_sample))
    with pytest.raises(ValueError, match="1 of 2 molecules are lines"):
        to_batch(model, [line, graph])
