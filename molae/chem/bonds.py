"""The bonds of many molecules, read from their SMILES at once.

A SMILES is read in whole arrays here, of characters and then of atoms, those of all molecules together. It
must be one of RDKit's own, every atom in brackets: nothing is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8
from rdkit import Chem

from molae.chem.vocabulary import BONDS

_SINGLE, _AROMATIC = BONDS.index(Chem.BondType.SINGLE), BONDS.index(Chem.BondType.AROMATIC)
# Category by character, 0 where that is no sign of a bond.
_SIGNS = np.zeros(128, dtype=np.uint8)
_SIGNS[ord("-")] = _SINGLE
_SIGNS[ord("=")] = BONDS.index(Chem.BondType.DOUBLE)
_SIGNS[ord("#")] = BONDS.index(Chem.BondType.TRIPLE)
_SIGNS[ord(":")] = _AROMATIC
# A direction, which single bonds and aromatic ones may be written with.
_DIRECTION = len(BONDS)
_SIGNS[ord("/")] = _SIGNS[ord("\\")] = _DIRECTION


class Bonds(NamedTuple):
    """Bonds of molecules, one molecule after the other.

    Attributes:
        counts: Number of bonds of each molecule.
        rows: The two atoms of each bond, numbered within its molecule as they are written, and its category.
    """

    counts: Int[np.ndarray, " g"]
    rows: Int[np.ndarray, "e 3"]


class _Text(NamedTuple):
    """SMILES without what is in their brackets, one behind the other.

    Attributes:
        characters: Two line breaks, then the SMILES, a line break between two; `[` stands for an atom.
        sign: Category of the bond that a character is the sign of, or `_DIRECTION`; 0 elsewhere.
        atom: The last atom up to each character, all numbered through; -1 ahead of the first.
        graph: Molecule of each atom.
        aromatic: Whether each atom is.
    """

    characters: UInt8[np.ndarray, " c"]
    sign: UInt8[np.ndarray, " c"]
    atom: Int[np.ndarray, " c"]
    graph: Int[np.ndarray, " n"]
    aromatic: Bool[np.ndarray, " n"]


def read_bonds(smiles: Sequence[str]) -> Bonds:
    """Reads the bonds of molecules.

    Args:
        smiles: SMILES that RDKit wrote with all hydrogens explicit, of bonds that `molae.chem.vocabulary`
            knows and fewer than a hundred open rings.
    Returns:
        The bonds. Between aromatic atoms, one that is written with a direction may be a single bond or an
        aromatic one, which the SMILES does not tell: it is given as aromatic.
    """
    text = _without_brackets(smiles)
    first, second, sign = (np.concatenate(pair) for pair in zip(_chains(text), _rings(text), strict=True))
    unsigned = np.where(text.aromatic[first] & text.aromatic[second], _AROMATIC, _SINGLE)
    kind = np.where((sign == 0) | (sign == _DIRECTION), unsigned, sign)
    graph = text.graph[first]
    order = np.argsort(graph, kind="stable")
    start = np.searchsorted(text.graph, np.arange(len(smiles)))
    rows = np.stack([first - start[graph], second - start[graph], kind], axis=1)
    return Bonds(np.bincount(graph, minlength=len(smiles)), rows[order])


def _without_brackets(smiles: Sequence[str]) -> _Text:
    text = np.frombuffer("\n".join(["\n", *smiles]).encode("ascii"), dtype=np.uint8)
    opens = text == ord("[")
    closed = np.cumsum(opens, dtype=np.int32) == np.cumsum(text == ord("]"), dtype=np.int32)
    closed &= text != ord("]")
    characters = text[closed | opens]
    atom = np.cumsum(characters == ord("["), dtype=np.int64) - 1
    line = np.cumsum(characters == ord("\n"), dtype=np.int64) - 2
    graph = line[characters == ord("[")]
    aromatic = text[np.flatnonzero(opens) + 1] >= ord("a")
    return _Text(characters, _SIGNS[characters], atom, graph, aromatic)


def _chains(text: _Text) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bonds between an atom and the one that it is written behind, and their signs."""
    place = np.flatnonzero(text.characters == ord("["))
    sign = text.sign[place - 1]
    before = text.characters[place - 1 - (sign > 0)]
    depth = np.cumsum(
        (text.characters == ord("(")).astype(np.int8) - (text.characters == ord(")")), dtype=np.int32
    )[place]
    # What begins a branch hangs on an atom outside of it.
    level = depth - (before == ord("("))
    level[(before == ord("\n")) | (before == ord("."))] = -1
    atoms = np.arange(len(place))
    parent = np.zeros_like(atoms)
    for each in range(level.max(initial=-1) + 1):
        last = np.maximum.accumulate(np.where(depth == each, atoms, -1))
        hanging = np.flatnonzero(level == each)
        parent[hanging] = last[hanging - 1]
    bound = level >= 0
    return parent[bound], atoms[bound], sign[bound]


def _rings(text: _Text) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bonds that a ring is closed with, and their signs, which may stand at either end."""
    digit = (text.characters >= ord("0")) & (text.characters <= ord("9"))
    percent = np.flatnonzero(text.characters == ord("%"))
    digit[percent + 1] = digit[percent + 2] = False
    digit[percent] = True
    place = np.flatnonzero(digit)
    number = text.characters[place].astype(np.int64) - ord("0")
    tens, ones = text.characters[percent + 1].astype(np.int64), text.characters[percent + 2]
    number[np.searchsorted(place, percent)] = 10 * (tens - ord("0")) + ones - ord("0")
    atom, sign = text.atom[place], text.sign[place - 1]
    # A number opens a ring, closes it, and may open another.
    order = np.argsort(100 * text.graph[atom] + number, kind="stable")
    one, other = order[::2], order[1::2]
    return atom[one], atom[other], np.maximum(sign[one], sign[other])
