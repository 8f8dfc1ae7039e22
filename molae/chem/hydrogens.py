"""Hydrogens that follow the heavy atoms they are bound to."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem

#: Least number of other heavy atoms, where there are as many, that tell how an atom's surroundings turned.
_FEWEST = 2


def carry_hydrogens(
    mol: Chem.Mol,
    pos: Float[np.ndarray, "c a 3"],
    heavy: Int[np.ndarray, " n"],
    moved: Float[np.ndarray, "c n 3"],
) -> Float[np.ndarray, "c a 3"]:
    """Moves hydrogens along with heavy atoms.

    What is bound to a heavy atom is shifted with it, and turned as the heavy atoms around it turned, by the
    rotation that fits these best (Kabsch 1976, doi:10.1107/S0567739476001873).

    Args:
        mol: Molecule with all hydrogens as atoms.
        pos: Positions of all atoms, in Å.
        heavy: Numbers of the heavy atoms.
        moved: New positions of those, in Å.
    Returns:
        New positions of all atoms.
    """
    new = pos.copy()
    new[:, heavy] = moved
    hydrogens, bearers = _bonds_to_hydrogen(mol)
    if not len(hydrogens):
        return new
    parents, place = np.unique(bearers, return_inverse=True)
    around, there = _surroundings(mol, parents, heavy)
    before, after = (there[..., None] * (each[:, around] - each[:, parents, None]) for each in (pos, new))
    turn = _rotations(before, after)
    away = pos[:, hydrogens] - pos[:, bearers]
    new[:, hydrogens] = new[:, bearers] + np.einsum("chij,chj->chi", turn[:, place], away)
    return new


def _bonds_to_hydrogen(mol: Chem.Mol) -> tuple[Int[np.ndarray, " h"], Int[np.ndarray, " h"]]:
    """Hydrogens bound to a heavy atom, and those atoms."""
    found = [
        (atom.GetIdx(), other.GetIdx())
        for atom in mol.GetAtoms()
        if atom.GetAtomicNum() == 1
        for other in atom.GetNeighbors()
        if other.GetAtomicNum() > 1
    ]
    hydrogens, bearers = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return hydrogens, bearers


def _surroundings(
    mol: Chem.Mol, parents: Int[np.ndarray, " p"], heavy: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, "p k"], Float[np.ndarray, "p k"]]:
    """Heavy atoms next to each parent, and next to those where they are few; and which are no padding."""
    hops = Chem.GetDistanceMatrix(mol)[np.ix_(parents, heavy)]
    rows = []
    for distances in hops:
        near = heavy[distances == 1]
        rows.append(near if len(near) > _FEWEST else heavy[(distances == 1) | (distances == 2)])
    around = np.zeros((len(parents), max(map(len, rows))), dtype=np.int64)
    there = np.zeros(around.shape)
    for row, near in enumerate(rows):
        around[row, : len(near)] = near
        there[row, : len(near)] = 1
    return around, there


def _rotations(
    before: Float[np.ndarray, "c p k 3"], after: Float[np.ndarray, "c p k 3"]
) -> Float[np.ndarray, "c p 3 3"]:
    """Proper rotations, acting as R @ x, that best map vectors onto others."""
    left, _, right = np.linalg.svd(np.swapaxes(before, -1, -2) @ after)
    sign = np.sign(np.linalg.det(left @ right))
    right[..., 2, :] *= sign[..., None]
    return np.swapaxes(left @ right, -1, -2)
