"""Conformers that are the same stereoisomer beyond doubt, told from their positions all at once."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from jaxtyping import Bool, Float
from rdkit import Chem

from molae.chem.stereo import has_other_stereo, marked_atoms

# Volumes spanned by three bonds of length one are clear from here on; 0.77 at a regular centre. RDKit takes a
# centre for flat below 0.1.
_CLEAR_VOLUME = 0.5
# Likewise the product of the cosine of a torsion about a double bond and the sines of both angles; 0.75 at a
# regular one.
_CLEAR_SIDE = 0.4
_NO_STEREO = (Chem.BondStereo.STEREONONE, Chem.BondStereo.STEREOANY)


def clearly_alike(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"], to: int) -> Bool[np.ndarray, " s"]:
    """Tells which conformers have the configurations of one of them, none of them nearly flat or half way.

    Args:
        mol: Molecule with the stereo of that conformer, all hydrogens atoms.
        positions: Positions of its atoms in each conformer, in Å.
        to: Place of that conformer.
    Returns:
        False where in doubt.
    """
    if has_other_stereo(mol):
        return np.zeros(len(positions), dtype=bool)
    measured = np.concatenate([_volumes(mol, positions), _sides(mol, positions)], axis=1)
    # Above one: clear, and with the sign of the one to compare with.
    return (measured * np.sign(measured[to]) >= 1).all(axis=1)


def _volumes(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"]) -> Float[np.ndarray, "s k"]:
    """Volumes at the centres, of any three bonds of each, as multiples of a clear one."""
    corners = [
        (atom.GetIdx(), *(other.GetIdx() for other in three))
        for atom in marked_atoms(mol)
        for three in combinations(atom.GetNeighbors(), 3)
    ]
    four = positions[:, np.array(corners, dtype=np.int64).reshape(-1, 4)]
    arms = four[:, :, 1:] - four[:, :, :1]
    lengths = np.linalg.norm(arms, axis=-1).prod(axis=-1)
    return np.linalg.det(arms) / (_CLEAR_VOLUME * lengths)


def _sides(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"]) -> Float[np.ndarray, "s k"]:
    """On which side of a double bond with a configuration any two neighbours lie, likewise."""
    chains = [
        (first.GetIdx(), begin.GetIdx(), end.GetIdx(), last.GetIdx())
        for bond in mol.GetBonds()
        if bond.GetStereo() not in _NO_STEREO
        for begin, end in [(bond.GetBeginAtom(), bond.GetEndAtom())]
        for first, last in product(begin.GetNeighbors(), end.GetNeighbors())
        if first.GetIdx() != end.GetIdx() and last.GetIdx() != begin.GetIdx()
    ]
    a, b, c, d = np.moveaxis(positions[:, np.array(chains, dtype=np.int64).reshape(-1, 4)], 2, 0)
    before, axis, behind = (
        each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (b - a, c - b, d - c)
    )
    return np.sum(np.cross(before, axis) * np.cross(axis, behind), axis=-1) / _CLEAR_SIDE
