"""Readings of conformers: the orders of atoms that the graph cannot tell apart, and which way round they are.

Around a centre with two neighbours that are alike, an order of the atoms says which of them is the first.
Torsion angles do not: read in an order in which the propyls of tripropylmethane go round the other way, the
same angles are another conformer. `Handedness` tells such orders apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem
from rdkit.Chem import BondType, HybridizationType

from molae.chem.automorphisms import automorphisms
from molae.chem.heavy import heavy_atoms
from molae.chem.torsions import Torsions, fixed_torsions, measure_torsions

#: Orders that are tried.
MOST_READINGS = 256
_FLAT = (HybridizationType.SP, HybridizationType.SP2)


def find_readings(mol: Chem.Mol, limit: int = MOST_READINGS) -> Int[np.ndarray, "a n"]:
    """Finds the orders in which the atoms may be read: every heavy atom takes its hydrogens along.

    Args:
        mol: Sanitised molecule, all hydrogens atoms.
        limit: Most orders. Of a molecule with more, as many are drawn at random with a fixed seed, and which
            ones depends on its numbering.
    Returns:
        Orders of all atoms, the one that changes nothing first: `pos[order]` is as good as `pos`. Those that
        exchange hydrogens of one atom only are left out.
    """
    heavy = np.array([atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1], dtype=np.int64)
    found = heavy[automorphisms(heavy_atoms(mol), limit)]
    orders = np.tile(np.arange(mol.GetNumAtoms()), (len(found), 1))
    orders[:, heavy] = found
    hydrogens = {int(atom): _hydrogens(mol, int(atom)) for atom in heavy}
    for atom, own in hydrogens.items():
        if own:
            orders[:, own] = [hydrogens[int(image)] for image in orders[:, atom]]
    return orders


@dataclass(frozen=True)
class Handedness:
    """What goes one way round or the other in a molecule, whatever its bonds are turned to.

    Attributes:
        centres: Atoms that are not flat, each with three heavy neighbours; nitrogen, which inverts, only
            where the graph cannot tell two of the three apart.
        doubles: Double bonds, by one neighbour at each end.
    """

    centres: Int[np.ndarray, "z 4"]
    doubles: Torsions

    def measure(self, pos: Float[np.ndarray, "c n 3"]) -> Int[np.ndarray, "c h"]:
        """1 or -1 for the way round of each centre, and for cis or trans of each double bond.

        Args:
            pos: Positions in Å.
        Returns:
            The signs; 0 for a centre that lies flat.
        """
        volumes = np.linalg.det(pos[:, self.centres[:, 1:]] - pos[:, self.centres[:, :1]])
        cosines = np.cos(measure_torsions(pos, self.doubles))
        return np.sign(np.concatenate([volumes, cosines], axis=1)).astype(np.int64)


def find_handedness(mol: Chem.Mol) -> Handedness:
    """Finds what may go either way round.

    Args:
        mol: Sanitised molecule.
    Returns:
        Centres and double bonds in the order of canonical ranks, so that the numbering of the molecule
        decides nothing but which of atoms that are alike is which.
    """
    unique = list(Chem.CanonicalRankAtoms(mol, includeChirality=False))
    tied = list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    centres = []
    for atom in mol.GetAtoms():
        near = sorted(_heavy_neighbours(atom), key=unique.__getitem__)
        alike = len({tied[each] for each in near}) < len(near)
        stays = alike or atom.GetAtomicNum() != 7 or len(near) == 4
        if len(near) >= 3 and atom.GetHybridization() not in _FLAT and stays:
            centres.append([atom.GetIdx(), *near[:3]])
    centres.sort(key=lambda atoms: unique[atoms[0]])
    return Handedness(np.array(centres, dtype=np.int64).reshape(-1, 4), _doubles(mol, unique))


def _doubles(mol: Chem.Mol, unique: list[int]) -> Torsions:
    found = []
    for bond in mol.GetBonds():
        j, k = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()), key=unique.__getitem__)
        ends = [
            sorted(set(_heavy_neighbours(mol.GetAtomWithIdx(of))) - {but}, key=unique.__getitem__)
            for of, but in ((j, k), (k, j))
        ]
        if bond.GetBondType() == BondType.DOUBLE and all(ends):
            found.append((ends[0][0], j, k, ends[1][0]))
    return fixed_torsions(
        sorted(found, key=lambda atoms: (unique[atoms[1]], unique[atoms[2]])), mol.GetNumAtoms()
    )


def _hydrogens(mol: Chem.Mol, atom: int) -> list[int]:
    near = mol.GetAtomWithIdx(atom).GetNeighbors()
    return [other.GetIdx() for other in near if other.GetAtomicNum() == 1]


def _heavy_neighbours(atom: Chem.Atom) -> list[int]:
    return [other.GetIdx() for other in atom.GetNeighbors() if other.GetAtomicNum() > 1]
