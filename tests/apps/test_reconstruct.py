from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from smallmodel import KNOWN, SCHEMA, small_model

import molae
from molae.apps.embed import to_batch
from molae.apps.molecules import read_molecule
from molae.apps.reconstruct import rebuild_all
from molae.errors import ConfigError, RowError


def canonical(smiles: str) -> str:
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


def test_molecules_come_back(model_path: Path) -> None:
    results = molae.reconstruct([*KNOWN, "bad"], model_path)
    assert [result.smiles for result in results[:-1]] == [canonical(smiles) for smiles in KNOWN]
    assert all(result.exact and result.rmsd < 0.3 and result.error is None for result in results[:-1])
    assert (results[-1].smiles, results[-1].mol, results[-1].exact) == (None, None, False)
    assert results[-1].error.kind == "unparsable"
    assert np.isnan(results[-1].rmsd)


def test_what_is_decoded_comes_from_the_code_alone() -> None:
    model = small_model()
    pair = ["CC(=O)O", "C#N"]
    with torch.inference_mode():
        code = model.encode(to_batch(model, [read_molecule(smiles, SCHEMA) for smiles in pair])).invariant
        swapped = rebuild_all(model.decode(code.flip(0)))
    assert [Chem.MolToSmiles(mol) for mol in swapped] == pair[::-1]


def test_decoded_molecules_lie_on_their_originals(model_path: Path) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CC(=O)O"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=0)
    mol.GetConformer().SetPositions(mol.GetConformer().GetPositions()[:, [1, 2, 0]] + [200.0, 0.0, -30.0])
    (result,) = molae.reconstruct([mol], model_path)
    heavy = mol.GetConformer().GetPositions()[:4]
    assert [a.GetSymbol() for a in result.mol.GetAtoms()] == ["C", "C", "O", "O"]
    distances = np.linalg.norm(result.mol.GetConformer().GetPositions() - heavy, axis=1)
    assert np.sqrt(np.mean(distances**2)) == pytest.approx(result.rmsd, abs=1e-6)
    assert result.rmsd < 0.5


def test_a_failed_decode_is_counted(model_path: Path) -> None:
    model = molae.load(model_path)
    with torch.no_grad():
        model.decoder.size.bias[0] = 1e4
    (result,) = molae.reconstruct(["CO"], model)
    assert (result.error.kind, result.exact, result.comparison.decoded) == ("no_atoms", False, False)


def test_an_impossible_molecule_is_a_failure_without_noise(
    model_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = molae.load(model_path)
    with torch.no_grad():
        model.decoder.edge.bias[3] = 1e4  # triple bonds everywhere
    (result,) = molae.reconstruct(["CC(=O)O"], model)
    assert (result.error.kind, result.exact) == ("not_sanitised", False)
    assert capfd.readouterr().err == ""


def test_a_line_leads_from_one_molecule_to_the_other(model_path: Path) -> None:
    for a, b in (("CO", "c1ccccc1"), ("c1ccccc1", "CO")):
        mols = molae.interpolate(a, b, steps=5, model=model_path)
        assert len(mols) == 5
        assert [Chem.MolToSmiles(mol) for mol in (mols[0], mols[-1])] == [a, b]


def test_ends_that_cannot_be_read_are_refused(model_path: Path) -> None:
    with pytest.raises(RowError, match="not a valid SMILES"):
        molae.interpolate("CO", "bad", model=model_path)
    with pytest.raises(ConfigError, match="at least 2"):
        molae.interpolate("CO", "CO", steps=1, model=model_path)


@pytest.mark.parametrize(
    "smiles",
    [
        "COc1cc2c(c(OC)c1OC)-c1ccc(OC)c(=O)cc1C(n1cc(COC(=O)C(CCSC)NC(=O)OC(C)(C)C)nn1)CC2",
        "COc1cc2c(c(OC)c1OC)-c1ccc(OC)c(=O)cc1C(n1cc(COC(=O)C(CC(C)C)NC(=O)OC(C)(C)C)nn1)CC2",
        "C=C1C(=O)C23C(OC(=O)c4ccc(N(CCCl)CCCl)cc4)C1CCC2C12COC3(O)C(O)C1C(C)(C)CCC2OC(C)=O",
    ],
)
def test_what_the_decoder_gets_wrong_is_put_right(smiles: str) -> None:
    model = molae.load("graph")
    code = torch.from_numpy(molae.embed([smiles], model))
    original = Chem.CanonSmiles(smiles)
    (alone,), (read,) = rebuild_all(model.decode(code)), rebuild_all(model.read(code))
    assert isinstance(alone, RowError) or Chem.MolToSmiles(alone) != original
    assert Chem.MolToSmiles(read) == original
    assert molae.reconstruct([smiles], model)[0].exact
