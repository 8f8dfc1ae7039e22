"""Parities of centres, read from SMILES, beside those that RDKit reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers
from slotarrays import ISOMERS, molecule, real

from molae.chem.centres import read_centres
from molae.chem.written import write

TAGS = {Chem.ChiralType.CHI_TETRAHEDRAL_CCW: 1, Chem.ChiralType.CHI_TETRAHEDRAL_CW: 2}
# Lone pairs, with and without a ring and multiple bonds; a centre that comes first, or has all in rings.
UNUSUAL = [
    *("C[S+](CC)[O-]", "CS(=O)CC", "CC1CCCS1=O", "CC1CC[S+]1C", "C[S+]1CCC2CCCCC21", "CP1CCC1C", "CCP(C)CO"),
    *(
        "CC1CN1C",
        "C1CC2CCN1CC2C",
        "CC1CP2CCC1CC2",
        "CN=S(C)(=O)CC",
        "OP(=O)(CC)C",
        "FC(Cl)Br",
        "C[Si](F)(Cl)Br",
    ),
    *(
        "CC12CCC(CC1)C2(C)C",
        "C1CC2(C1)OC2C",
        "C[N+](CC)(CCC)CO",
        "CCP(=S)(O)OC",
        "C[As](CC)CCC",
        "C[Se](=O)CC",
    ),
]


def by_rdkit(smiles: str) -> dict[int, int]:
    """Parity of the neighbours of each centre in ascending order, from RDKit's tags."""
    params = Chem.SmilesParserParams()
    params.sanitize = params.removeHs = False
    found = {}
    for atom in Chem.MolFromSmiles(smiles, params).GetAtoms():
        if parity := TAGS.get(atom.GetChiralTag()):
            around = [near.GetIdx() for near in atom.GetNeighbors()]
            odd = sum(a > b for a, b in combinations(around, 2)) % 2
            found[atom.GetIdx()] = 3 - parity if odd else parity
    return found


def read(smiles: list[str]) -> list[dict[int, int]]:
    found: list[dict[int, int]] = [{} for _ in smiles]
    for graph, atom, parity in zip(*map(np.ndarray.tolist, read_centres(smiles)), strict=True):
        found[graph][atom] = parity
    return found


def isomers(smiles: str) -> Iterator[str]:
    """Every stereoisomer, from every atom on."""
    params = Chem.SmilesWriteParams()
    params.allHsExplicit, params.canonical = True, False
    for mol in EnumerateStereoisomers(Chem.MolFromSmiles(smiles)):
        for params.rootedAtAtom in range(mol.GetNumAtoms()):
            yield Chem.MolToSmiles(mol, params)


def test_centres_are_those_that_rdkit_reads() -> None:
    known = (each for each in real(200) if "*" not in each)
    smiles = [write(molecule(each)).smiles for each in (*ISOMERS, *known)]
    assert sum(map(len, read(smiles))) > 20
    assert read(smiles) == [by_rdkit(each) for each in smiles]


@pytest.mark.parametrize("smiles", UNUSUAL)
def test_unusual_centres_are_those_that_rdkit_reads(smiles: str) -> None:
    written = list(isomers(smiles))
    assert read(written) == [by_rdkit(each) for each in written]


def test_unusual_centres_are_marked() -> None:
    assert sum(any("@" in each for each in isomers(smiles)) for smiles in UNUSUAL) >= len(UNUSUAL) - 4


def test_a_centre_of_another_shape_is_none() -> None:
    assert read(["[CH3][Pt@SP1]([CH3])([Cl])[F]", "[CH4]"]) == [{}, {}]


def test_no_molecules_have_no_centres() -> None:
    assert not any(map(len, read_centres([])))
