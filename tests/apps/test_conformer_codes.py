from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rdkit import Chem

import molae
from molae.chem.heavy import rmsd_matrix
from molae.chem.isomers import isomeric_smiles, with_positions
from molae.errors import ConfigError, DataError, RowError

DIPEPTIDE = "C[C@H](NC(=O)[C@@H](N)CCSC)C(=O)O"


def etkdg(smiles: str, n: int, seed: int = 0, **options: Any) -> Chem.Mol:
    return molae.conformers(smiles, n, seed, model="etkdg", **options)


def apart(mol: Chem.Mol) -> list[Chem.Mol]:
    return [with_positions(mol, each.GetPositions()[None]) for each in mol.GetConformers()]


def test_the_code_and_not_the_start_picks_the_conformer() -> None:
    conformers = etkdg(DIPEPTIDE, n=4, seed=5, relax="mmff", prune_rmsd=1.0)
    two = apart(conformers)[:2]
    codes = molae.embed_conformers(conformers)[:2]
    for seed in (0, 1):
        found = apart(molae.decode_conformers(DIPEPTIDE, codes[::-1], seed))
        distances = rmsd_matrix(two, found)
        assert max(distances[0, 1], distances[1, 0]) < 0.3
        assert min(distances[0, 0], distances[1, 1]) > 0.8
        assert {isomeric_smiles(each) for each in found} == {Chem.CanonSmiles(DIPEPTIDE)}


@pytest.mark.parametrize("smiles", [DIPEPTIDE, "CCCN(CCC)CC1CCCCC1", "CCC(CCO)CCO", "COc1ccc(CCO)cc1"])
@pytest.mark.parametrize("relax", [False, True])
def test_codes_of_decoded_conformers_are_the_codes(smiles: str, relax: bool) -> None:
    codes = molae.embed_conformers(etkdg(smiles, n=3, seed=7))
    again = molae.embed_conformers(molae.decode_conformers(smiles, codes, relax=relax))
    # Rings are those of the starts, or nearly those of the code.
    np.testing.assert_allclose(again[:, :64], codes[:, :64], atol=1e-6)


def test_what_is_turned_has_relaxed_bond_angles() -> None:
    conformers = etkdg(DIPEPTIDE, n=4, seed=5, relax="mmff")
    found = molae.decode_conformers(DIPEPTIDE, molae.embed_conformers(conformers), relax=False)
    assert rmsd_matrix(apart(conformers), apart(found)).diagonal().max() < 0.15


def test_symmetric_arms_come_back_to_their_places() -> None:
    smiles = "CCCC(CCC)(CCC)CO"
    conformers = etkdg(smiles, n=5, seed=1, relax="mmff")
    found = molae.decode_conformers(smiles, molae.embed_conformers(conformers))
    assert rmsd_matrix(apart(conformers), apart(found)).diagonal().max() < 0.3


def test_rings_are_pulled_to_the_code() -> None:
    boat = etkdg("OC1CCCCCC1", n=4, seed=3, relax="mmff", prune_rmsd=0.3)
    found = molae.decode_conformers("OC1CCCCCC1", molae.embed_conformers(boat), starts=2)
    assert rmsd_matrix(apart(boat), apart(found)).diagonal().max() < 0.2


def test_a_molecule_in_another_order_decodes_to_the_same() -> None:
    conformers = etkdg(DIPEPTIDE, n=2, seed=5)
    order = np.random.default_rng(0).permutation(conformers.GetNumAtoms()).tolist()
    codes = molae.embed_conformers(Chem.RenumberAtoms(conformers, order))
    np.testing.assert_allclose(codes, molae.embed_conformers(conformers), atol=1e-9)
    found = molae.decode_conformers(conformers, codes)
    assert rmsd_matrix(apart(conformers), apart(found)).diagonal().max() < 0.6


def test_frames_lead_from_one_to_the_other() -> None:
    conformers = etkdg(DIPEPTIDE, n=6, seed=2, relax="mmff", prune_rmsd=1.0)
    a, b = apart(conformers)[:2]
    frames = molae.interpolate_conformers(a, Chem.RenumberAtoms(b, list(range(b.GetNumAtoms()))[::-1]), 5)
    assert frames.GetNumConformers() == 5
    ends = rmsd_matrix([a, b], apart(frames))
    assert ends[0, 0] < 0.3
    assert ends[1, -1] < 0.3
    assert {isomeric_smiles(each) for each in apart(frames)} == {Chem.CanonSmiles(DIPEPTIDE)}


def test_a_symmetric_turn_is_no_way() -> None:
    conformer = etkdg("OCCc1ccccc1", n=1)
    exchanged = conformer.GetConformer().GetPositions()
    # The two ortho carbons and the two meta carbons, each with its hydrogen.
    for one, other in ((4, 8), (5, 7)):
        exchanged[[one, other]] = exchanged[[other, one]]
    for one, other in ((14, 18), (15, 17)):
        exchanged[[one, other]] = exchanged[[other, one]]
    frames = molae.interpolate_conformers(conformer, with_positions(conformer, exchanged[None]), 3)
    each = apart(frames)
    assert rmsd_matrix(each[:1], each).max() < 0.01


def test_wrong_input_is_named() -> None:
    mol = etkdg("CCCO", n=1)
    with pytest.raises(RowError, match="3D conformers"):
        molae.embed_conformers(Chem.MolFromSmiles("CCO"))
    with pytest.raises(DataError, match=r"shape \(n, 128\)"):
        molae.decode_conformers("CCCO", np.zeros(3))
    with pytest.raises(DataError, match="finite"):
        molae.decode_conformers("CCCO", np.full((1, 128), np.nan))
    with pytest.raises(ConfigError, match="starts"):
        molae.decode_conformers("CCCO", np.zeros((1, 128)), starts=0)
    with pytest.raises(ConfigError, match="steps"):
        molae.interpolate_conformers(mol, mol, 1)
    with pytest.raises(RowError, match="expected one"):
        molae.interpolate_conformers(mol, etkdg("CCCN", n=1))


def test_codes_of_open_double_bonds_decode() -> None:
    assert molae.decode_conformers("CCC=CCO", np.zeros((1, 128))).GetNumConformers() == 1
