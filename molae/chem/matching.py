"""Conformers as turned starts: by how much the bonds of one geometry turn to be those of another.

Atoms that the graph cannot tell apart may be numbered either way in a conformer and in a start. Around
centres with such neighbours, the two are brought to the same sense first, by renumbering the conformer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem
from rdkit.Chem import HybridizationType

from molae.chem.readings import find_readings
from molae.chem.rmsd import rmsd_superposed
from molae.chem.torsions import Torsions, measure_torsions, turn_torsions

_FLAT = (HybridizationType.SP, HybridizationType.SP2)


@dataclass(frozen=True)
class Match:
    """Conformers seen from starts.

    Attributes:
        turns: Angles, in radians, by which the bonds of each start turn to be those of each conformer.
        fit: Heavy-atom RMSD, in Å, that then is left.
        orders: Order in which to read the atoms of each conformer, for each start.
    """

    turns: Float[np.ndarray, "c s t"]
    fit: Float[np.ndarray, "c s"]
    orders: Int[np.ndarray, "c s a"]


def match_starts(
    mol: Chem.Mol,
    torsions: Torsions,
    starts: Float[np.ndarray, "s a 3"],
    positions: Float[np.ndarray, "c a 3"],
) -> Match:
    """Finds how each start turns into each conformer.

    Args:
        mol: Molecule with all hydrogens as atoms.
        torsions: Its torsions.
        starts: Positions to start from, in Å.
        positions: Positions of the conformers, in Å.
    Returns:
        Angles, and what they leave.
    """
    heavy = np.array([atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1])
    orders = _alike(mol, starts, positions)
    turns = np.zeros((len(positions), len(starts), len(torsions)))
    fit = np.zeros((len(positions), len(starts)))
    begin, same = measure_torsions(starts, torsions), np.arange(len(heavy))[None]
    for place, start in enumerate(starts):
        read = np.take_along_axis(positions, orders[:, place, :, None], axis=1)
        end = measure_torsions(read, torsions)
        turns[:, place] = end - begin[place]
        turned = turn_torsions(np.repeat(start[None], len(read), axis=0), torsions, end)
        fit[:, place] = [
            rmsd_superposed(one[heavy], other[heavy], same) for one, other in zip(turned, read, strict=True)
        ]
    return Match(turns, fit, orders)


def _alike(
    mol: Chem.Mol,
    starts: Float[np.ndarray, "s a 3"],
    positions: Float[np.ndarray, "c a 3"],
) -> Int[np.ndarray, "c s a"]:
    """The order in which to read each conformer, for each start, that has most centres in the same sense."""
    atoms = np.arange(mol.GetNumAtoms())
    orders = np.broadcast_to(atoms, (len(positions), len(starts), len(atoms))).copy()
    centres = _centres(mol)
    if not len(centres):
        return orders
    renumberings = find_readings(mol)
    senses = _senses(starts, centres)
    for place, pos in enumerate(positions):
        agreement = _senses(pos[renumberings], centres) @ senses.T
        orders[place] = renumberings[agreement.argmax(axis=0)]
    return orders


def _centres(mol: Chem.Mol) -> Int[np.ndarray, "z 4"]:
    """Atoms that are not flat, with three heavy neighbours of which the graph cannot tell some apart."""
    unique = list(Chem.CanonicalRankAtoms(mol, includeChirality=False))
    tied = list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    found = []
    for atom in mol.GetAtoms():
        near = [other.GetIdx() for other in atom.GetNeighbors() if other.GetAtomicNum() > 1]
        if (
            len(near) >= 3
            and atom.GetHybridization() not in _FLAT
            and len({tied[i] for i in near}) < len(near)
        ):
            found.append([atom.GetIdx(), *sorted(near, key=unique.__getitem__)[:3]])
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def _senses(pos: Float[np.ndarray, "x a 3"], centres: Int[np.ndarray, "z 4"]) -> Float[np.ndarray, "x z"]:
    """1 or -1 for the two ways in which three neighbours may lie around a centre."""
    return np.sign(np.linalg.det(pos[:, centres[:, 1:]] - pos[:, centres[:, :1]]))
