"""Atoms that are nearer to one another than atoms are."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from rdkit import Chem

# Pairs with fewer bonds between them are near for other reasons.
_FEWEST_BONDS = 4
# Shares of the sum of the van der Waals radii, below what good geometries have: planar ones that hold atoms
# together by a hydrogen bond go down to 0.74 and 0.63.
_HEAVY, _HYDROGEN = 0.7, 0.6


def have_clashes(mol: Chem.Mol, pos: Float[np.ndarray, "c n 3"]) -> Bool[np.ndarray, " c"]:
    """Tells in which conformers atoms clash.

    Two atoms at least four bonds apart clash where they are nearer than 0.7 times the sum of their van der
    Waals radii, or 0.6 times where one is a hydrogen.

    Args:
        mol: Molecule; its own conformers are ignored.
        pos: Positions of its atoms, in Å.
    Returns:
        True where any two clash.
    """
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRvdw(int(number)) for number in numbers])
    far = np.triu(Chem.GetDistanceMatrix(mol) >= _FEWEST_BONDS)
    i, j = np.nonzero(far)
    share = np.where((numbers[i] == 1) | (numbers[j] == 1), _HYDROGEN, _HEAVY)
    away = pos[:, i] - pos[:, j]
    # Several times faster than by numpy's norm.
    squares = np.einsum("cpk,cpk->cp", away, away)
    return (squares < (share * (radii[i] + radii[j])) ** 2).any(axis=1)
