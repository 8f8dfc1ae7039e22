"""Parities of the tetrahedral centres of many molecules, read from their SMILES at once.

They are read from the SMILES, since of the equal ways to mark centres that are such only by one another, as
those of 1,4-dimethylcyclohexane, RDKit chooses while it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from molae.chem.scan import Text, find_chains, find_rings, scan

# What may follow the mark of a tetrahedral centre; other shapes have their names there, as in [Pt@SP1].
_BEHIND = np.frombuffer(b"H]+-", dtype=np.uint8)
# Behind every atom: so RDKit places a hydrogen that is no atom, and a lone pair.
_LAST = np.iinfo(np.int64).max


class Centres(NamedTuple):
    """Tetrahedral centres of molecules, one molecule after the other.

    Attributes:
        graph: Molecule of each centre.
        atom: The atom, numbered within its molecule as it is written.
        parity: 1 if its neighbours, in the order in which they are written, go round anticlockwise, seen from
            the first of them; 2 if they go round clockwise.
    """

    graph: Int[np.ndarray, " c"]
    atom: Int[np.ndarray, " c"]
    parity: Int[np.ndarray, " c"]


def read_centres(smiles: Sequence[str]) -> Centres:
    """Reads the tetrahedral centres of molecules.

    Args:
        smiles: SMILES as `molae.chem.scan` has them.
    Returns:
        The centres that have a configuration. One of another shape, as of square planes, is left out.
    """
    text = scan(smiles)
    atom, clockwise, hydrogen = _marked(text)
    around, closing, double = _neighbours(text, atom, hydrogen)
    pairs = combinations(around.T, 2)
    turns = np.sum([first > second for first, second in pairs], axis=0, dtype=np.int64) + clockwise
    # RDKit's own exception: the lone pair of an atom with single bonds alone, one of which closes a ring.
    degree = (around < _LAST).sum(axis=1)
    turns += (degree == 3) & ~hydrogen & (closing == 1) & (double == 0)
    return Centres(text.graph[atom], text.own_numbers(atom), 1 + turns % 2)


def _marked(text: Text) -> tuple[Int[np.ndarray, " c"], Bool[np.ndarray, " c"], Bool[np.ndarray, " c"]]:
    """Atoms marked with `@` or `@@`, whether with two of them, and whether a hydrogen follows."""
    whole = text.whole
    mark = np.flatnonzero((whole == ord("@")) & (np.roll(whole, 1) != ord("@")))
    twice = whole[mark + 1] == ord("@")
    behind = whole[mark + 1 + twice]
    tetrahedral = np.isin(behind, _BEHIND)
    atom = np.cumsum(whole == ord("["), dtype=np.int64)[mark] - 1
    return atom[tetrahedral], twice[tetrahedral], (behind == ord("H"))[tetrahedral]


def _neighbours(
    text: Text, centre: Int[np.ndarray, " c"], hydrogen: Bool[np.ndarray, " c"]
) -> tuple[Int[np.ndarray, "c k"], Int[np.ndarray, " c"], Int[np.ndarray, " c"]]:
    """Neighbours of centres in the order in which the SMILES has them: the one ahead, a hydrogen, those that
    rings are closed with, those behind; and how many bonds of each close rings, and are not single."""
    multiple = (text.characters == ord("=")) | (text.characters == ord("#"))
    (parent, child), rings = find_chains(text), find_rings(text)
    opened, closed = (text.last[place] for place in rings)
    in_ring = multiple[rings[0] - 1] | multiple[rings[1] - 1]
    in_chain = multiple[text.place[child] - 1]
    bonds = [  # atom, neighbour, where in the text, whether it closes a ring, whether it is not single
        (child, parent, text.place[parent], False, in_chain),
        (centre[hydrogen], _LAST, text.place[centre[hydrogen]], False, False),
        (opened, closed, rings[0], True, in_ring),
        (closed, opened, rings[1], True, in_ring),
        (parent, child, text.place[child], False, in_chain),
    ]
    table = np.concatenate([np.stack(np.broadcast_arrays(*each), axis=1) for each in bonds])
    number = np.full(len(text.place), -1)
    number[centre] = np.arange(len(centre))
    table = table[number[table[:, 0]] >= 0]
    own = number[table[:, 0]]
    order = np.lexsort((table[:, 2], own))
    own, table = own[order], table[order]
    column = np.arange(len(own)) - np.searchsorted(own, own)
    around = np.full((len(centre), 1 + column.max(initial=0)), _LAST)
    around[own, column] = table[:, 1]
    closing, double = (np.bincount(own, table[:, each], len(centre)) for each in (3, 4))
    return around, closing, double
