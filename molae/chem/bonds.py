"""The bonds of many molecules, read from their SMILES at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from rdkit import Chem

from molae.chem.geometries import WrittenBonds, read_geometries
from molae.chem.scan import find_chains, find_rings, scan
from molae.chem.vocabulary import BONDS

_SINGLE, _DOUBLE, _AROMATIC = (
    BONDS.index(kind) for kind in (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.AROMATIC)
)
# Category by character, 0 where that is no sign of a bond.
_SIGNS = np.zeros(128, dtype=np.uint8)
_SIGNS[ord("-")] = _SINGLE
_SIGNS[ord("=")] = _DOUBLE
_SIGNS[ord("#")] = BONDS.index(Chem.BondType.TRIPLE)
_SIGNS[ord(":")] = _AROMATIC
# A direction, which single bonds and aromatic ones may be written with.
_DIRECTION = len(BONDS)
_SIGNS[ord("/")] = _SIGNS[ord("\\")] = _DIRECTION
# Whether what is written behind the character lies above what is written ahead of it, or below.
_TURNS = np.zeros(128, dtype=np.int8)
_TURNS[ord("/")], _TURNS[ord("\\")] = 1, -1


class Bonds(NamedTuple):
    """Bonds of molecules, one molecule after the other.

    Attributes:
        counts: Number of bonds of each molecule.
        rows: The two atoms of each bond, numbered within its molecule as they are written, and its category.
    """

    counts: Int[np.ndarray, " g"]
    rows: Int[np.ndarray, "e 3"]

    def part(self, start: int, stop: int) -> Bonds:
        """Those of the molecules from one on to ahead of another."""
        first, last = self.counts[:start].sum(), self.counts[:stop].sum()
        return Bonds(self.counts[start:stop], self.rows[first:last])


def read_bonds(smiles: Sequence[str]) -> Bonds:
    """Reads the bonds of molecules.

    Args:
        smiles: SMILES as `molae.chem.scan` has them, of bonds that `molae.chem.vocabulary` knows.
    Returns:
        The bonds. Between aromatic atoms, one that is written with a direction may be a single bond or an
        aromatic one, which the SMILES does not tell: it is given as aromatic. Where more than two bonds are
        written with a direction, double bonds are given without their geometry.
    """
    text = scan(smiles)
    signs = _SIGNS[text.characters]
    parent, atom = find_chains(text)
    opened, closed = find_rings(text)
    first, second = np.append(parent, text.last[opened]), np.append(atom, text.last[closed])
    # That of a ring may stand at either end, and leads away from it.
    sign = np.append(signs[text.place[atom] - 1], np.maximum(signs[opened - 1], signs[closed - 1]))
    turns = _TURNS[text.characters]
    at_opening, at_closing = turns[opened - 1], -turns[closed - 1]
    turn = np.append(turns[text.place[atom] - 1], np.where(at_opening, at_opening, at_closing))
    aromatic = text.whole[np.flatnonzero(text.whole == ord("[")) + 1] >= ord("a")
    unsigned = np.where(aromatic[first] & aromatic[second], _AROMATIC, _SINGLE)
    kind = np.where((sign == 0) | (sign == _DIRECTION), unsigned, sign)
    graph = text.graph[first]
    written = WrittenBonds(graph, first, second, kind == _DOUBLE, turn)
    fixed, geometry = read_geometries(written)
    kind[fixed] = geometry
    rows = np.stack([text.own_numbers(first), text.own_numbers(second), kind], axis=1)
    return Bonds(np.bincount(graph, minlength=len(smiles)), rows[np.argsort(graph, kind="stable")])
