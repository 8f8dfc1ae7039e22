"""Codes of conformers: a fixed number of numbers that say how the bonds of a molecule are turned.

The code is of the conformation alone, and its group is SE(3): it is unchanged when the conformer is moved or
turned and when the atoms are numbered otherwise, and not when it is mirrored. It has three parts:

    0 to 63     (cos f τ, sin f τ) for each rotatable bond; turns by 360° / f leave the conformer as it is
    64 to 111   (cos τ, sin τ) for each bond that turns in a ring: single, the ring not flat by nature
    112 to 127  for each nitrogen that inverts, the volume of the three unit vectors to its neighbours

each in the order of canonical ranks of the atoms, and 0 where there is none.

Where the graph cannot tell atoms apart, a conformer has several readings (`molae.chem.readings`). The one
that counts is the largest by (signs of the handedness, code rounded to six digits), compared number by
number. Of readings that tie, the codes differ by less than that rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from rdkit import Chem
from rdkit.Chem import BondType, HybridizationType

from molae.chem.readings import (
    MOST_READINGS,
    Handedness,
    find_handedness,
    find_readings,
)
from molae.chem.torsions import Torsions, find_torsions, fixed_torsions, measure_torsions
from molae.errors import RowError

MOST_TORSIONS = 32
"""Most rotatable bonds of a molecule that has codes."""
MOST_RING_BONDS = 24
"""Ring bonds that a code tells of; of more, the first ones."""
MOST_NITROGENS = 16
"""Nitrogens that a code tells of; of more, the first ones."""
CODE_SIZE = 2 * (MOST_TORSIONS + MOST_RING_BONDS) + MOST_NITROGENS
"""Numbers of a code."""

_RINGS, _NITROGENS = 2 * MOST_TORSIONS, 2 * (MOST_TORSIONS + MOST_RING_BONDS)
_LARGEST_FLAT_RING = 6
_DIGITS = 6
_TURNED = 0.1


@dataclass(frozen=True)
class CodeLayout:
    """What the numbers of the codes of a molecule are of.

    Attributes:
        torsions: Its rotatable bonds.
        fold: Turns by 360° / fold about one leave every conformer as it is: 2 for a phenyl with nothing on it
            that turns.
        rings: The bonds that turn in rings.
        nitrogens: Nitrogens that invert, with their three neighbours.
        orders: Orders in which the atoms may be read.
        handedness: What tells orders apart whose angles are equal.
    """

    torsions: Torsions
    fold: Int[np.ndarray, " t"]
    rings: Torsions
    nitrogens: Int[np.ndarray, "p 4"]
    orders: Int[np.ndarray, "a n"]
    handedness: Handedness


@dataclass(frozen=True)
class Readings:
    """Conformers in all orders of their atoms.

    Attributes:
        codes: Code of each.
        signs: Handedness of each.
    """

    codes: Float[np.ndarray, "c a 128"]
    signs: Int[np.ndarray, "c a h"]

    def right_hand(self) -> Bool[np.ndarray, "c a"]:
        """Whether a reading has the largest signs of those of its conformer."""
        largest = [max(map(tuple, signs)) for signs in self.signs.tolist()]
        return np.array(
            [
                [tuple(sign) == most for sign in signs]
                for signs, most in zip(self.signs.tolist(), largest, strict=True)
            ]
        ).reshape(self.signs.shape[:2])

    def chosen(self) -> Int[np.ndarray, " c"]:
        """The reading of each conformer that counts: the largest."""
        keys = np.concatenate([self.signs, self.codes.round(_DIGITS)], axis=2)
        return np.array([np.lexsort(key.T[::-1])[-1] for key in keys], dtype=np.int64)


def code_layout(mol: Chem.Mol, most_readings: int = MOST_READINGS) -> CodeLayout:
    """Finds what the codes of a molecule are of.

    Args:
        mol: Sanitised molecule in one piece, all hydrogens atoms; its conformers are ignored.
        most_readings: Most orders in which its atoms are read. The codes of a molecule with more symmetry
            than that may depend on how atoms that are alike are numbered.
    Returns:
        The layout.
    Raises:
        RowError: `fragments`, if the molecule is in several pieces; `no_atoms`, if it has no heavy atom;
            `too_large`, if it has more than 32 rotatable bonds; `hydrogens`, if some are no atoms.
    """
    if any(atom.GetTotalNumHs() for atom in mol.GetAtoms()):
        raise RowError("codes of conformers need all hydrogens as atoms: Chem.AddHs first", "hydrogens")
    torsions = find_torsions(mol)
    if len(torsions) > MOST_TORSIONS:
        raise RowError(f"{len(torsions)} bonds that turn, a code takes {MOST_TORSIONS}", "too_large")
    unique = list(Chem.CanonicalRankAtoms(mol, includeChirality=False))
    rings = fixed_torsions(_ring_torsions(mol, unique)[:MOST_RING_BONDS], mol.GetNumAtoms())
    return CodeLayout(
        torsions,
        _folds(mol, torsions, rings),
        rings,
        _nitrogens(mol, unique)[:MOST_NITROGENS],
        find_readings(mol, most_readings),
        find_handedness(mol),
    )


def encode_conformers(mol: Chem.Mol) -> Float[np.ndarray, "c 128"]:
    """Encodes all conformers of a molecule.

    Mirrored positions have the code of the mirrored molecule: some reading of the conformer with the signs of
    its sines and volumes, and of its handedness, changed. Where the graph tells all atoms apart, there is one
    reading, and so that is all that changes.

    Args:
        mol: Sanitised molecule in one piece, all hydrogens atoms, with conformers in Å.
    Returns:
        The codes, float64.
    Raises:
        RowError: As `code_layout`.
    """
    positions = [conformer.GetPositions() for conformer in mol.GetConformers()]
    return encode_positions(
        code_layout(mol), np.array(positions, dtype=np.float64).reshape(-1, mol.GetNumAtoms(), 3)
    )


def encode_positions(layout: CodeLayout, pos: Float[np.ndarray, "c n 3"]) -> Float[np.ndarray, "c 128"]:
    """Encodes conformers of a molecule.

    Args:
        layout: What the numbers of its codes are of.
        pos: Positions in Å.
    Returns:
        The codes.
    """
    readings = read(layout, pos)
    return readings.codes[np.arange(len(pos)), readings.chosen()]


def read(layout: CodeLayout, pos: Float[np.ndarray, "c n 3"]) -> Readings:
    """Reads conformers in all orders of their atoms.

    Args:
        layout: What the numbers of their codes are of.
        pos: Positions in Å.
    Returns:
        The readings.
    """
    count = len(pos)
    pos = pos[:, layout.orders].reshape(-1, *pos.shape[1:])
    codes = np.zeros((len(pos), CODE_SIZE))
    _write(codes, 0, layout.fold * measure_torsions(pos, layout.torsions))
    _write(codes, _RINGS, measure_torsions(pos, layout.rings))
    codes[:, _NITROGENS : _NITROGENS + len(layout.nitrogens)] = _volumes(pos, layout.nitrogens)
    signs = layout.handedness.measure(pos)
    shape = (count, len(layout.orders))
    return Readings(codes.reshape(*shape, -1), signs.reshape(*shape, signs.shape[1]))


def code_distances(layout: CodeLayout, pos: Float[np.ndarray, "c n 3"]) -> Float[np.ndarray, "c c"]:
    """Distances between the codes of conformers, the least over the readings that symmetry allows.

    The codes that count may lie far apart for conformers that are nearly the same, because another of their
    readings is the largest; these distances do not.

    Args:
        layout: What the numbers of the codes are of.
        pos: Positions in Å.
    Returns:
        Euclidean distances.
    """
    readings = read(layout, pos)
    chosen = readings.codes[np.arange(len(pos)), readings.chosen()]
    usable = readings.right_hand()
    found = np.empty((len(pos), len(pos)))
    for row, code in zip(found, chosen, strict=True):
        squares = np.square(readings.codes - code).sum(axis=2)
        row[:] = np.sqrt(np.where(usable, squares, np.inf).min(axis=1))
    # Where not all readings are tried, one that is near may be missing one way round.
    return np.minimum(found, found.T)


def torsion_angles(layout: CodeLayout, codes: Float[np.ndarray, "c 128"]) -> Float[np.ndarray, "c t"]:
    """The angles in radians of the rotatable bonds that codes say; any of those that come to the same."""
    cosine, sine = codes[:, 0:_RINGS:2], codes[:, 1:_RINGS:2]
    return np.arctan2(sine, cosine)[:, : len(layout.torsions)] / layout.fold


def ring_angles(layout: CodeLayout, codes: Float[np.ndarray, "c 128"]) -> Float[np.ndarray, "c r"]:
    """The torsion angles in radians of the bonds in rings that codes say."""
    cosine, sine = codes[:, _RINGS:_NITROGENS:2], codes[:, _RINGS + 1 : _NITROGENS : 2]
    return np.arctan2(sine, cosine)[:, : len(layout.rings)]


def blend(
    first: Float[np.ndarray, " 128"], last: Float[np.ndarray, " 128"], shares: Float[np.ndarray, " s"]
) -> Float[np.ndarray, "s 128"]:
    """Codes on the way from one to another, every angle the shorter way round.

    Args:
        first: Where the share is 0.
        last: Where it is 1.
        shares: How far on the way each code is.
    Returns:
        The codes.
    """
    pairs = np.stack([first, last])[:, :_NITROGENS].reshape(2, -1, 2)
    begin, end = np.arctan2(pairs[..., 1], pairs[..., 0])
    way = np.remainder(end - begin + np.pi, 2 * np.pi) - np.pi
    angles = begin + shares[:, None] * way
    codes = first + shares[:, None] * (last - first)
    there = np.repeat(pairs.any(axis=(0, 2)), 2)
    turned = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(shares), -1)
    codes[:, :_NITROGENS] = turned * there
    return codes


def start_distances(
    codes: Float[np.ndarray, "... 128"], wanted: Float[np.ndarray, " 128"]
) -> Float[np.ndarray, " ..."]:
    """How much would be left of the way from codes to another once the rotatable bonds are turned.

    That is what differs in rings and nitrogens. The turns themselves count for a tenth: bond angles go with
    them a little.
    """
    difference = codes - wanted
    difference[..., :_RINGS] *= _TURNED
    return np.linalg.norm(difference, axis=-1)


def _write(codes: Float[np.ndarray, "c 128"], start: int, angles: Float[np.ndarray, "c t"]) -> None:
    end = start + 2 * angles.shape[1]
    codes[:, start:end:2], codes[:, start + 1 : end : 2] = np.cos(angles), np.sin(angles)


def _volumes(pos: Float[np.ndarray, "c n 3"], centres: Int[np.ndarray, "p 4"]) -> Float[np.ndarray, "c p"]:
    vectors = pos[:, centres[:, 1:]] - pos[:, centres[:, :1]]
    return np.linalg.det(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _folds(mol: Chem.Mol, torsions: Torsions, rings: Torsions) -> Int[np.ndarray, " t"]:
    """The folds of bonds behind which nothing else turns.

    Half a turn of a phenylene takes along what is beyond it: there it comes to the same only together with
    another half turn, which the readings tell.
    """
    tied = list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False))
    turning = np.concatenate([torsions.bonds, rings.bonds])
    fold = np.ones(len(torsions), dtype=np.int64)
    for place, ((j, k), moved) in enumerate(zip(torsions.bonds, torsions.moved, strict=True)):
        for of, but, side in ((j, k, ~moved), (k, j, moved)):
            near = [a.GetIdx() for a in mol.GetAtomWithIdx(int(of)).GetNeighbors() if a.GetIdx() != but]
            alike = len({tied[atom] for atom in near}) == 1 and len(near) == torsions.fold[place]
            if alike and not side[turning].all(axis=1).any():
                fold[place] = len(near)
    return fold


def _ring_torsions(mol: Chem.Mol, unique: list[int]) -> list[tuple[int, int, int, int]]:
    """Single bonds of rings that are not flat by nature, each with the next atoms in its smallest ring."""
    found = []
    for bond in mol.GetBonds():
        if bond.GetBondType() != BondType.SINGLE or not bond.IsInRing():
            continue
        j, k = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()), key=unique.__getitem__)
        ring = _smallest_ring(mol, j, k, unique)
        if len(ring) > 3 and not _is_flat(mol, ring):
            found.append((ring[1], j, k, ring[-2]))
    return sorted(found, key=lambda atoms: (unique[atoms[1]], unique[atoms[2]]))


def _smallest_ring(mol: Chem.Mol, start: int, end: int, unique: list[int]) -> list[int]:
    """The atoms on the shortest way round from `start` to `end`, first by canonical ranks where there are
    several: unlike RDKit's set of smallest rings, it does not depend on the numbering."""
    near = {end: 0}
    ahead = [end]
    while start not in near:
        ahead = [other for atom in ahead for other in _steps(mol, atom, start, end) if other not in near]
        near |= dict.fromkeys(ahead, max(near.values()) + 1)
    ring = [start]
    while ring[-1] != end:
        nearer = (
            other for other in _steps(mol, ring[-1], start, end) if near.get(other) == near[ring[-1]] - 1
        )
        ring.append(min(nearer, key=unique.__getitem__))
    return ring


def _steps(mol: Chem.Mol, atom: int, start: int, end: int) -> Iterable[int]:
    """Neighbours of an atom, but not across the bond from `start` to `end`."""
    for other in mol.GetAtomWithIdx(atom).GetNeighbors():
        if {atom, other.GetIdx()} != {start, end}:
            yield other.GetIdx()


def _is_flat(mol: Chem.Mol, ring: list[int]) -> bool:
    kinds = {mol.GetAtomWithIdx(atom).GetHybridization() for atom in ring}
    return len(ring) <= _LARGEST_FLAT_RING and HybridizationType.SP3 not in kinds


def _nitrogens(mol: Chem.Mol, unique: list[int]) -> Int[np.ndarray, "p 4"]:
    """Nitrogens with three single bonds to heavy atoms, which may invert."""
    found = []
    for atom in mol.GetAtoms():
        near = [other.GetIdx() for other in atom.GetNeighbors() if other.GetAtomicNum() > 1]
        if (
            atom.GetAtomicNum() == 7
            and atom.GetDegree() == len(near) == 3
            and atom.GetHybridization() == HybridizationType.SP3
        ):
            found.append([atom.GetIdx(), *sorted(near, key=unique.__getitem__)])
    found.sort(key=lambda atoms: unique[atoms[0]])
    return np.array(found, dtype=np.int64).reshape(-1, 4)
