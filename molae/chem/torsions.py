"""The torsions of a molecule: which bonds turn, what they are at, and conformers with others.

Bond lengths and angles hardly differ between the conformers of a molecule; what differs is how far the parts
on both sides of each rotatable bond are turned against each other, and the puckers of rings, which are left
alone here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
        bonds: Atoms j and k of each torsion; the bond turns, with what lies behind k.
        ends: What the angle is measured from and to, the point halfway between two neighbours of j, and of k:
            the same one twice, or the two where the graph cannot tell them apart and there is no other.
        moved: Whether an atom moves when a bond turns.
        fold: Turns by 360° / fold about a bond leave a conformer as it is, but for the exchange of atoms that
            the graph cannot tell apart: 2 for a phenyl, 3 for a trifluoromethyl group, else 1.
    """

    bonds: Int[np.ndarray, "t 2"]
    ends: Int[np.ndarray, "t 2 2"]
    moved: Int[np.ndarray, "t n"]
    fold: Int[np.ndarray, " t"]

    def __len__(self) -> int:
        return len(self.bonds)


def find_torsions(mol: Chem.Mol) -> Torsions:
    """Finds the rotatable bonds of a molecule.

    Args:
        mol: Sanitised molecule, in one piece.
    Returns:
        The torsions. The numbering of the molecule decides neither their order nor, up to atoms that the
        graph cannot tell apart, what they are measured by.
    Raises:
        RowError: If the molecule is in several pieces.
    """
    n = mol.GetNumAtoms()
    if len(Chem.GetMolFrags(mol)) > 1:
        raise RowError("a molecule in several pieces has no torsions between them", "fragments")
    unique = list(Chem.CanonicalRankAtoms(mol, includeChirality=False))
    tied = list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    found = []
    bonds = mol.GetSubstructMatches(_ROTATABLE)
    for bond in bonds:
        # The smaller side moves: k is the end of the bond on it.
        behind = {end: _behind(mol, start, end) for start, end in (bond, bond[::-1])}
        j, k = sorted(bond, key=lambda atom: (-len(behind[atom]), unique[atom]))
        (start, start_fold), (end, end_fold) = (_end(mol, *each, unique, tied) for each in ((j, k), (k, j)))
        # Half a turn of a phenylene takes along what turns beyond it, which makes another conformer.
        folds = [
            fold
            for of, fold in ((j, start_fold), (k, end_fold))
            if not any(behind[of].issuperset(other) for other in bonds)
        ]
        fold = max(folds, default=1)
        found.append((sorted((unique[j], unique[k])), (j, k), (start, end), behind[k], fold))
    found.sort(key=lambda each: each[0])
    moved = np.zeros((len(found), n), dtype=bool)
    for place, (*_, side, _) in enumerate(found):
        moved[place, list(side)] = True
    return Torsions(
        np.array([bond for _, bond, *_ in found], dtype=np.int64).reshape(-1, 2),
        np.array([ends for _, _, ends, *_ in found], dtype=np.int64).reshape(-1, 2, 2),
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
    start, end = np.moveaxis(pos[:, torsions.ends].mean(axis=3), 2, 0)
    j, k = np.moveaxis(pos[:, torsions.bonds], 2, 0)
    first, second, third = j - start, k - j, end - k
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
    # A turn about one bond moves others, but changes no torsion angle but its own.
    return turn_by(pos, torsions, angles - measure_torsions(pos, torsions))


def turn_by(
    pos: Float[np.ndarray, "c n 3"], torsions: Torsions, turns: Float[np.ndarray, "c t"]
) -> Float[np.ndarray, "c n 3"]:
    """Turns bonds as `turn_torsions` does, but by angles, in radians, and not to them."""
    pos = pos.copy()
    for (j, k), moved, turn in zip(torsions.bonds, torsions.moved, turns.T, strict=True):
        axis = pos[:, k] - pos[:, j]
        axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
        rotation = _rotation_about(axis, turn)
        centre = pos[:, k, None]
        pos[:, moved] = (pos[:, moved] - centre) @ rotation.transpose(0, 2, 1) + centre
    return pos


def fixed_torsions(atoms: Sequence[Sequence[int]], size: int) -> Torsions:
    """Torsions that are measured and not turned.

    Args:
        atoms: The four atoms of each.
        size: Number of atoms of the molecule.
    Returns:
        The torsions, in this order; no atom moves with one.
    """
    four = np.array(atoms, dtype=np.int64).reshape(-1, 4)
    return Torsions(
        four[:, 1:3],
        np.repeat(four[:, [0, 3], None], 2, axis=2),
        np.zeros((len(four), size), dtype=bool),
        np.ones(len(four), dtype=np.int64),
    )


def four_atoms(torsions: Torsions) -> Int[np.ndarray, "t 4"]:
    """The atoms of each torsion; of two that it is measured from or to, the first."""
    start, end = np.moveaxis(torsions.ends[:, :, 0], 1, 0)
    return np.concatenate([start[:, None], torsions.bonds, end[:, None]], axis=1)


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


def _end(mol: Chem.Mol, of: int, but: int, unique: list[int], tied: list[int]) -> tuple[tuple[int, int], int]:
    """What to measure from at one end of a bond, and how many turns take its neighbours into each other.

    Of two neighbours that the graph cannot tell apart, either may be the first one, as it happens to be
    numbered: an angle measured from it would mean two different conformers.
    """
    others = sorted(_others(mol, of, but), key=lambda atom: unique[atom.GetIdx()])
    classes = Counter(tied[atom.GetIdx()] for atom in others)
    single = [atom for atom in others if classes[tied[atom.GetIdx()]] == 1]
    heavy = [atom.GetIdx() for atom in others if atom.GetAtomicNum() > 1]
    told = [atom.GetIdx() for atom in single if atom.GetAtomicNum() > 1] or [a.GetIdx() for a in single]
    fold = _fold(mol.GetAtomWithIdx(of), len(others)) if len(classes) == 1 else 1
    if fold > 1 or len(heavy) == 1:
        return (heavy[0], heavy[0]), fold
    if told:
        return (told[0], told[0]), 1
    return (heavy[0], heavy[1]), 1


def _fold(atom: Chem.Atom, others: int) -> int:
    """How many turns take `others` neighbours, all that an atom has beside one, into each other if alike."""
    hybridisation = atom.GetHybridization()
    planar = hybridisation == Chem.HybridizationType.SP2 and others == 2
    tetrahedral = hybridisation == Chem.HybridizationType.SP3 and others == 3
    return others if planar or tetrahedral else 1


def _rotation_about(
    axis: Float[np.ndarray, "c 3"], angle: Float[np.ndarray, " c"]
) -> Float[np.ndarray, "c 3 3"]:
    """Rotations about unit vectors, acting as R @ x (Rodrigues)."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * cross @ cross
