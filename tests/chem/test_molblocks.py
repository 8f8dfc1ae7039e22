from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molae.chem.etkdg import sample_etkdg
from molae.chem.isomers import isomeric_smiles, with_positions
from molae.chem.molblocks import mol_blocks
from molae.chem.parse import parse_smiles, prepare


@pytest.mark.parametrize("smiles", ["C[C@H](N)C(=O)[O-]", "F/C=C/Cl", "C", "[2H]C#N", "CC=C=C"])
def test_blocks_are_those_of_rdkit_without_wedges(smiles: str) -> None:
    mol = prepare(parse_smiles(smiles), hydrogens=True).mol
    mol.SetProp("_Name", "50 % of it")
    positions = sample_etkdg(mol, 3)
    posed = with_positions(mol, positions)
    blocks = list(mol_blocks(mol, positions))
    for block, conformer in zip(blocks, posed.GetConformers(), strict=True):
        expected = Chem.MolToMolBlock(posed, confId=conformer.GetId(), includeStereo=False)
        assert block.split("\n")[2:] == expected.split("\n")[2:]
        assert block.startswith("50 % of it\n")
        read = Chem.MolFromMolBlock(block, removeHs=False)
        assert isomeric_smiles(read) == isomeric_smiles(posed)


def test_large_molecules_are_written_too() -> None:
    mol = Chem.MolFromSmiles("C" * 1000)
    positions = np.random.default_rng(0).normal(size=(2, 1000, 3))
    for block, pos in zip(mol_blocks(mol, positions), positions, strict=True):
        read = Chem.MolFromMolBlock(block, sanitize=False)
        assert np.allclose(read.GetConformer().GetPositions(), pos, atol=1e-4)
