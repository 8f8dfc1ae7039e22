"""SMILES of many molecules, read at once.

SMILES are read in whole arrays here, of characters and then of atoms, those of all molecules together. They
must be RDKit's own, every atom in brackets, with fewer than a hundred open rings: nothing is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

# Whether a character is a sign of a bond.
_SIGN = np.isin(np.arange(128), np.frombuffer(b"-=#:/\\", dtype=np.uint8))


class Text(NamedTuple):
    """SMILES, one behind the other.

    Attributes:
        whole: Two line breaks, then the SMILES, a line break between two.
        characters: The same without what is in brackets; `[` stands for an atom.
        last: The last atom up to each of these characters, all numbered through; -1 ahead of the first.
        place: Place of each atom among these characters.
        graph: Molecule of each atom.
    """

    whole: UInt8[np.ndarray, " w"]
    characters: UInt8[np.ndarray, " c"]
    last: Int[np.ndarray, " c"]
    place: Int[np.ndarray, " n"]
    graph: Int[np.ndarray, " n"]

    def own_numbers(self, atoms: Int[np.ndarray, " a"]) -> Int[np.ndarray, " a"]:
        """Atoms, numbered within their molecules."""
        start = np.searchsorted(self.graph, np.arange(self.graph.max(initial=-1) + 1))
        return atoms - start[self.graph[atoms]]


def scan(smiles: Sequence[str]) -> Text:
    """Finds the atoms of SMILES."""
    whole = np.frombuffer("\n".join(["\n", *smiles]).encode("ascii"), dtype=np.uint8)
    opens = whole == ord("[")
    outside = np.cumsum(opens, dtype=np.int32) == np.cumsum(whole == ord("]"), dtype=np.int32)
    outside &= whole != ord("]")
    characters = whole[outside | opens]
    place = np.flatnonzero(characters == ord("["))
    last = np.cumsum(characters == ord("["), dtype=np.int64) - 1
    line = np.cumsum(characters == ord("\n"), dtype=np.int64) - 2
    return Text(whole, characters, last, place, line[place])


def find_chains(text: Text) -> tuple[Int[np.ndarray, " e"], Int[np.ndarray, " e"]]:
    """Finds atoms that are written behind one that they are bound to: that one, and the atom."""
    before = text.characters[text.place - 1]
    # A sign of the bond may stand between.
    before = np.where(_SIGN[before], text.characters[text.place - 2], before)
    depth = np.cumsum(
        (text.characters == ord("(")).astype(np.int8) - (text.characters == ord(")")), dtype=np.int32
    )[text.place]
    # What begins a branch hangs on an atom outside of it.
    level = depth - (before == ord("("))
    level[(before == ord("\n")) | (before == ord("."))] = -1
    atoms = np.arange(len(text.place))
    parent = np.zeros_like(atoms)
    for each in range(level.max(initial=-1) + 1):
        latest = np.maximum.accumulate(np.where(depth == each, atoms, -1))
        hanging = np.flatnonzero(level == each)
        parent[hanging] = latest[hanging - 1]
    bound = level >= 0
    return parent[bound], atoms[bound]


def find_rings(text: Text) -> tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"]]:
    """Finds the numbers that close rings: places of one that opens a ring, and of the one that closes it."""
    digit = (text.characters >= ord("0")) & (text.characters <= ord("9"))
    percent = np.flatnonzero(text.characters == ord("%"))
    digit[percent + 1] = digit[percent + 2] = False
    digit[percent] = True
    place = np.flatnonzero(digit)
    number = text.characters[place].astype(np.int64) - ord("0")
    tens, ones = text.characters[percent + 1].astype(np.int64), text.characters[percent + 2]
    number[np.searchsorted(place, percent)] = 10 * (tens - ord("0")) + ones - ord("0")
    # A number opens a ring, closes it, and may open another.
    order = np.argsort(100 * text.graph[text.last[place]] + number, kind="stable")
    return place[order[::2]], place[order[1::2]]
