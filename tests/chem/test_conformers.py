import gzip
import os
import random
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molae.chem import conformers
from molae.chem.conformers import embed_conformer, embed_conformers
from molae.chem.parse import parse_smiles, prepare
from molae.chem.stereo import assign_stereo_from_positions
from molae.errors import RowError

STAND_IN = [
    "CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O",
    "CC(=O)Nc1ccc(O)cc1",
    "C1CCCCC1C1CCCC1",
    "C[C@@H](O)[C@H](N)C(=O)O",
    "F/C=C/C(=N)C#N",
    "OC(F)C=CC",
    "[O-][N+](=O)c1ccc(Br)cc1",
    "C1[C@H]2C[C@@H]1[C@@H]1C[C@H]2C1",
    "C[C@H]1[C@H]2[C@H]3[C@@H]1[C@@H]2[C@@]3(C)O",
]


def molecule(smiles: str) -> Chem.Mol:
    return prepare(parse_smiles(smiles)).mol


def drug_like(count: int) -> list[str]:
    path = Path(os.environ.get("MOLAE_DATA", "../shared/data")) / "smiles" / "chembl_lm_20k.smi.gz"
    if not path.exists():
        return STAND_IN
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return STAND_IN + random.Random(0).sample([line.split()[0] for line in lines], count)


def test_every_spelling_gets_the_same_positions_to_the_bit() -> None:
    compared = 0
    for smiles in drug_like(10):
        mol = molecule(smiles)
        spelling = molecule(Chem.MolToSmiles(mol, doRandom=True))
        if Chem.MolToSmiles(spelling) != Chem.MolToSmiles(mol):
            # RDKit itself does not know a few small cages again, such as C1[C@H]2C[C@@H]1[C@@H]1C[C@H]2C1.
            continue
        compared += 1
        first, second = (embed_conformer(each, relax=False) for each in (mol, spelling))
        match = second.GetSubstructMatch(first, useChirality=True)
        assert len(match) == first.GetNumAtoms()
        rows = [sorted(map(tuple, each.GetConformer().GetPositions())) for each in (first, second)]
        assert rows[0] == rows[1], smiles
    assert compared >= 7


def test_atoms_keep_their_order_and_stereo() -> None:
    mol = molecule("OC(=O)[C@H](C)N/C=C/F")
    posed = embed_conformer(mol)
    assert [a.GetAtomicNum() for a in posed.GetAtoms()] == [a.GetAtomicNum() for a in mol.GetAtoms()]
    assert (Chem.GetAdjacencyMatrix(posed) == Chem.GetAdjacencyMatrix(mol)).all()
    assert Chem.MolToSmiles(assign_stereo_from_positions(posed)) == Chem.MolToSmiles(mol)
    assert mol.GetNumConformers() == 0


def test_with_hydrogens_the_conformer_is_the_same() -> None:
    for smiles in (*STAND_IN, "C", "[H][H]", "[Cl-]"):
        full = prepare(parse_smiles(smiles), hydrogens=True).mol
        posed = embed_conformer(full, hydrogens=True)
        assert [atom.GetAtomicNum() for atom in posed.GetAtoms()] == [
            a.GetAtomicNum() for a in full.GetAtoms()
        ]
        assert (Chem.GetAdjacencyMatrix(posed) == Chem.GetAdjacencyMatrix(full)).all()
        bare = embed_conformer(molecule(smiles))
        reduced = Chem.RemoveHs(posed)
        assert Chem.MolToSmiles(reduced) == Chem.MolToSmiles(bare)
        assert (reduced.GetConformer().GetPositions() == bare.GetConformer().GetPositions()).all()


def test_every_spelling_gets_the_same_hydrogens_to_the_bit() -> None:
    # RDKit's canonical SMILES of one of the cages depends on the numbering.
    for smiles in sorted({*STAND_IN} - {"C1[C@H]2C[C@@H]1[C@@H]1C[C@H]2C1"}):
        spellings = [smiles, Chem.MolToSmiles(molecule(smiles), doRandom=True)]
        full = [prepare(parse_smiles(spelling), hydrogens=True).mol for spelling in spellings]
        shuffled = np.random.default_rng(0).permutation(full[0].GetNumAtoms()).tolist()
        full.append(Chem.RenumberAtoms(full[0], shuffled))
        posed = [embed_conformer(each, relax=False, hydrogens=True) for each in full]
        rows = [sorted(map(tuple, each.GetConformer().GetPositions())) for each in posed]
        assert rows[0] == rows[1] == rows[2], smiles


def test_methyl_groups_make_no_conformers_of_their_own() -> None:
    assert len(embed_conformers(molecule("CC(C)(C)C"), 4, hydrogens=True)) == 1


def test_bonds_have_the_lengths_of_bonds() -> None:
    mol = embed_conformer(molecule("CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O"))
    positions = mol.GetConformer().GetPositions()
    ends = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()])
    lengths = np.linalg.norm(positions[ends[:, 0]] - positions[ends[:, 1]], axis=1)
    assert 1.1 < lengths.min() <= lengths.max() < 1.7


def test_open_stereo_is_closed_by_the_seed() -> None:
    mol = molecule("CC(O)C(F)Cl")
    once, again = embed_conformer(mol, seed=3), embed_conformer(mol, seed=3)
    assert (once.GetConformer().GetPositions() == again.GetConformer().GetPositions()).all()
    assert Chem.MolToSmiles(once).count("@") >= 2
    assert len({Chem.MolToSmiles(embed_conformer(mol, seed=seed)) for seed in range(8)}) > 1


def test_an_open_imine_gets_its_hydrogen_behind_the_other_atoms() -> None:
    mol = molecule("CC=N")
    posed = embed_conformer(mol)
    assert [atom.GetAtomicNum() for atom in posed.GetAtoms()] == [6, 6, 7, 1]


def test_conformers_are_distinct_and_as_many_as_there_are() -> None:
    assert len(embed_conformers(molecule("c1ccccc1"), 5)) == 1
    flexible = embed_conformers(molecule("CCCCCCO"), 5)
    assert 2 <= len(flexible) <= 5
    assert len({Chem.MolToMolBlock(each) for each in flexible}) == len(flexible)


@pytest.mark.parametrize("smiles", ["[Na+]", "[H][H]", "C[Si](C)(C)C", "OB(O)C", "[Fe]", "C"])
def test_small_and_odd_molecules_are_embedded(smiles: str) -> None:
    mol = embed_conformer(molecule(smiles))
    assert np.isfinite(mol.GetConformer().GetPositions()).all()


def test_a_large_molecule_falls_back_to_random_coordinates() -> None:
    peptide = molecule("N[C@@H](CO)C(=O)" * 15 + "O")
    mol = embed_conformer(peptide, relax=False)
    assert mol.HasSubstructMatch(peptide, useChirality=True)


def test_impossible_molecules_fail_by_name() -> None:
    with pytest.raises(RowError) as caught:
        embed_conformer(molecule("F[C@@]12C[C@]1(Cl)C2"))
    assert caught.value.kind in ("embed_failed", "stereo_mismatch")


def test_out_of_time_is_a_failure_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = {"useRandomCoords": True, "maxIterations": 10_000_000}
    monkeypatch.setattr(conformers, "ATTEMPTS", ((1, endless),))
    with pytest.raises(RowError, match="within 1 s") as caught:
        embed_conformer(molecule("F[C@@]12C[C@]1(Cl)C2"), timeout=1)
    assert caught.value.kind == "embed_timeout"


@pytest.mark.parametrize(
    ("smiles", "mirrored"),
    [
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
        ("C[C@H](O)[C@H](N)C(=O)NC1CC1", "C[C@@H](O)[C@@H](N)C(=O)NC1CC1"),
        ("C/C=C/[C@H](F)Cl", "C/C=C/[C@@H](F)Cl"),
    ],
)
def test_enantiomers_get_mirror_images_of_one_conformer(smiles: str, mirrored: str) -> None:
    one, other = (embed_conformer(Chem.MolFromSmiles(each)) for each in (smiles, mirrored))
    assert Chem.MolToSmiles(one) == Chem.CanonSmiles(smiles)
    assert Chem.MolToSmiles(other) == Chem.CanonSmiles(mirrored)
    assert np.array_equal(one.GetConformer().GetPositions(), -other.GetConformer().GetPositions())


def test_a_meso_compound_is_left_as_it_is() -> None:
    meso = Chem.MolFromSmiles("OC(=O)[C@H](O)[C@@H](O)C(=O)O")
    assert Chem.MolToSmiles(embed_conformer(meso)) == Chem.MolToSmiles(meso)
