"""The commonest conformers, on molecules whose torsions are set by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdMolTransforms import SetDihedralDeg

from molae.chem.commonest import commonest
from molae.chem.etkdg import sample_etkdg
from molae.chem.isomers import with_positions


def turned(smiles: str, atoms: Sequence[int], angles: Sequence[float]) -> tuple[Chem.Mol, np.ndarray]:
    """Conformers that differ in one torsion, in degrees."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    mol = with_positions(mol, sample_etkdg(mol, 1))
    found = []
    for angle in angles:
        SetDihedralDeg(mol.GetConformer(), *atoms, angle)
        found.append(mol.GetConformer().GetPositions())
    return mol, np.array(found)


def test_each_shape_comes_once_the_commonest_first() -> None:
    angles = [60, 180, 62, -178, 176, -60, 179, 58, -62, 181]
    mol, positions = turned("CCCC", (0, 1, 2, 3), angles)
    found = commonest(mol, positions, 3)
    assert [abs(round(angles[place], -1)) % 360 for place in found] == [180, 60, 60]
    assert angles[found[1]] > 0 > angles[found[2]]
    again = commonest(mol, positions, 20)
    assert again[:3] == found
    assert sorted(again) == list(range(len(angles)))


def test_a_flipped_phenyl_is_the_same() -> None:
    mol, positions = turned("CCOc1ccccc1", (1, 2, 3, 4), [0, 90, 180, 45])
    assert commonest(mol, positions, 4)[0] in (0, 2)
    assert {commonest(mol, positions[:3], 2)[1], commonest(mol, positions[:3], 2)[0]} in ({0, 1}, {1, 2})


@pytest.mark.parametrize("smiles", ["C1CCCCC1", "CC"])
def test_without_torsions_the_first_are_taken(smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert commonest(mol, sample_etkdg(mol, 4), 3) == [0, 1, 2]
