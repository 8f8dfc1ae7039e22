"""Conformers that are the same stereoisomer beyond doubt, told from their positions all at once."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float
from rdkit import Chem

from molae.chem.stereo import has_other_stereo, marked_atoms

# Volumes spanned by three bonds of length one, 0.77 at a regular centre, and cosines of the torsion about a
# double bond are clear from here on. RDKit takes a centre for flat below 0.1.
_CLEAR_VOLUME, _CLEAR_COSINE = 0.3, 0.5
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
    measured = np.concatenate([_volumes(mol, positions), _cosines(mol, positions)], axis=1)
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


def _cosines(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"]) -> Float[np.ndarray, "s k"]:
    """Cosines of the torsions about double bonds with a configuration, as multiples of a clear one."""
    bonds = [bond for bond in mol.GetBonds() if bond.GetStereo() not in _NO_STEREO]
    ends = [
        (first, bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), last)
        for bond in bonds
        for first, last in [tuple(bond.GetStereoAtoms())]
    ]
    a, b, c, d = np.moveaxis(positions[:, np.array(ends, dtype=np.int64).reshape(-1, 4)], 2, 0)
    one, other = np.cross(a - b, c - b), np.cross(d - c, c - b)
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.sum(one * other, axis=-1) / (_CLEAR_COSINE * lengths)
