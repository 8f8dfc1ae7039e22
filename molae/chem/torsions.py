"""The torsions of a molecule: which bonds turn, what they are at, and conformers with others.

Bond lengths and angles hardly differ between the conformers of a molecule; what differs is how far the parts
on both sides of each rotatable bond are turned against each other, and the puckers of rings, which are left
alone here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem

from molae.errors import RowError

# A single bond outside of rings, between heavy atoms that both have a further heavy neighbour, and not next
# to a triple bond, about which turning changes nothing.
_END = "$([!#1](~[!#1])~[!#1]);!$(*#*)"
_ROTATABLE = Chem.MolFromSmarts(f"[{_END}]-;!@[{_END}]")


@dataclass(frozen=True)
class Torsions:
    """Rotatable bonds of a molecule, in the order of their atoms' canonical ranks.

    Attributes:
        atoms: Atoms i, j, k, l of each torsion; the bond j-k turns, with what lies behind k.
        moved: Whether an atom moves when a bond turns.
        fold: Turns by 360° / fold about a bond leave a conformer as it is, but for the exchange of atoms that
            the graph cannot tell apart: 2 for a phenyl, 3 for a trifluoromethyl group, else 1.
    """

    atoms: Int[np.ndarray, "t 4"]
    moved: Int[np.ndarray, "t n"]
    fold: Int[np.ndarray, " t"]

    def __len__(self) -> int:
        return len(self.atoms)


def find_torsions(mol: Chem.Mol) -> Torsions:
    """Finds the rotatable bonds of a molecule.

    Args:
        mol: Sanitised molecule, in one piece.
    Returns:
        The torsions. The numbering of the molecule decides neither their order nor, up to atoms that the
        graph cannot tell apart, their four atoms.
    Raises:
        RowError: If the molecule is in several pieces.
    """
    n = mol.GetNumAtoms()
    if len(Chem.GetMolFrags(mol)) > 1:
        raise RowError("a molecule in several pieces has no torsions between them", "fragments")
    unique = list(Chem.CanonicalRankAtoms(mol, includeChirality=False))
    tied = list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    found = []
    for bond in mol.GetSubstructMatches(_ROTATABLE):
        # The smaller side moves: k is the end of the bond on it.
        behind = {end: _behind(mol, start, end) for start, end in (bond, bond[::-1])}
        j, k = sorted(bond, key=lambda atom: (-len(behind[atom]), unique[atom]))
        ends = (_first(mol, j, k, unique), _first(mol, k, j, unique))
        fold = max(_fold(mol, j, k, tied), _fold(mol, k, j, tied))
        found.append((sorted((unique[j], unique[k])), (ends[0], j, k, ends[1]), behind[k], fold))
    found.sort(key=lambda each: each[0])
    moved = np.zeros((len(found), n), dtype=bool)
    for place, (_, _, side, _) in enumerate(found):
        moved[place, list(side)] = True
    return Torsions(
        np.array([atoms for _, atoms, _, _ in found], dtype=np.int64).reshape(-1, 4),
        moved,
        np.array([fold for *_, fold in found], dtype=np.int64),
    )


def measure_torsions(pos: Float[np.ndarray, "c n 3"], torsions: Torsions) -> Float[np.ndarray, "c t"]:
    """Measures torsion angles.

    Args:
        pos: Positions of the atoms in conformers, in Å.
        torsions: Which torsions.
    Returns:
        Angles in radians, between -π and π, positive clockwise when seen along the bond (IUPAC).
    """
    first, second, third = np.moveaxis(np.diff(pos[:, torsions.atoms], axis=2), 2, 0)
    across, behind = np.cross(first, second), np.cross(second, third)
    length = np.linalg.norm(second, axis=-1)
    return np.arctan2(length * np.sum(first * behind, axis=-1), np.sum(across * behind, axis=-1))


def turn_torsions(
    pos: Float[np.ndarray, "c n 3"], torsions: Torsions, angles: Float[np.ndarray, "c t"]
) -> Float[np.ndarray, "c n 3"]:
    """Turns bonds until their torsions have the angles asked for; nothing else changes.

    Args:
        pos: Positions of the atoms in conformers, in Å.
        torsions: Which torsions.
        angles: What they are to be, in radians.
    Returns:
        The new positions.
    """
    pos = pos.copy()
    turns = angles - measure_torsions(pos, torsions)
    # A turn about one bond moves others, but changes no torsion angle but its own.
    for (_, j, k, _), moved, turn in zip(torsions.atoms, torsions.moved, turns.T, strict=True):
        axis = pos[:, k] - pos[:, j]
        axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
        rotation = _rotation_about(axis, turn)
        centre = pos[:, k, None]
        pos[:, moved] = (pos[:, moved] - centre) @ rotation.transpose(0, 2, 1) + centre
    return pos


def _behind(mol: Chem.Mol, start: int, end: int) -> set[int]:
    """The atoms that hang on `end` when its bond to `start` is cut, itself included."""
    found, ahead = {end}, [end]
    while ahead:
        for atom in mol.GetAtomWithIdx(ahead.pop()).GetNeighbors():
            index = atom.GetIdx()
            if index not in found and index != start:
                found.add(index)
                ahead.append(index)
    return found


def _others(mol: Chem.Mol, of: int, but: int) -> list[Chem.Atom]:
    return [atom for atom in mol.GetAtomWithIdx(of).GetNeighbors() if atom.GetIdx() != but]


def _first(mol: Chem.Mol, of: int, but: int, rank: list[int]) -> int:
    """The heavy neighbour of lowest rank."""
    heavy = [atom.GetIdx() for atom in _others(mol, of, but) if atom.GetAtomicNum() > 1]
    return min(heavy, key=rank.__getitem__)


def _fold(mol: Chem.Mol, of: int, but: int, tied: list[int]) -> int:
    """How many turns about a bond, in all, take the neighbours of its end into each other."""
    others = _others(mol, of, but)
    alike = len({tied[atom.GetIdx()] for atom in others}) == 1
    hybridisation = mol.GetAtomWithIdx(of).GetHybridization()
    planar = hybridisation == Chem.HybridizationType.SP2 and len(others) == 2
    tetrahedral = hybridisation == Chem.HybridizationType.SP3 and len(others) == 3
    return len(others) if alike and (planar or tetrahedral) else 1


def _rotation_about(
    axis: Float[np.ndarray, "c 3"], angle: Float[np.ndarray, " c"]
) -> Float[np.ndarray, "c 3 3"]:
    """Rotations about unit vectors, acting as R @ x (Rodrigues)."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * cross @ cross
