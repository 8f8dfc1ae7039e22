from __future__ import annotations

import numpy as np
import torch
from rdkit import Chem

from molae.chem.etkdg import sample_etkdg
from molae.chem.torsions import find_torsions, measure_torsions, turn_torsions
from molae.ops import turn_bonds


def test_it_does_what_the_chemistry_does() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O"))
    torsions = find_torsions(mol)
    pos = sample_etkdg(mol, 2, 0)
    angles = np.random.default_rng(0).uniform(-3, 3, (2, len(torsions)))
    expected = turn_torsions(pos, torsions, measure_torsions(pos, torsions) + angles)
    bonds = torch.from_numpy(torsions.bonds).expand(2, -1, -1)
    moved = torch.from_numpy(torsions.moved).expand(2, -1, -1)
    found = turn_bonds(torch.from_numpy(pos), bonds, moved, torch.from_numpy(angles))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def test_padding_turns_nothing() -> None:
    pos = torch.randn(1, 4, 3)
    bonds, moved = torch.zeros(1, 2, 2, dtype=torch.int64), torch.zeros(1, 2, 4, dtype=torch.bool)
    torch.testing.assert_close(turn_bonds(pos, bonds, moved, torch.tensor([[1.0, 0.0]])), pos)
