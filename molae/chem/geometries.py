"""Geometries of the double bonds of many molecules, read from their SMILES at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from molae.chem.vocabulary import CIS, TRANS


class WrittenBonds(NamedTuple):
    """Bonds of molecules as they are written.

    Attributes:
        graph: Molecule of each bond.
        first: Its atom that is written first, all atoms numbered through.
        second: The other atom.
        double: Whether it is a double bond.
        turn: 1 if it is written so that the second atom lies above the first, -1 if below it, 0 if neither.
    """

    graph: Int[np.ndarray, " e"]
    first: Int[np.ndarray, " e"]
    second: Int[np.ndarray, " e"]
    double: Bool[np.ndarray, " e"]
    turn: Int[np.ndarray, " e"]

    def take(self, places: Int[np.ndarray, " p"] | Bool[np.ndarray, " e"]) -> WrittenBonds:
        """Some of the bonds."""
        return WrittenBonds(*(each[places] for each in self))


def read_geometries(bonds: WrittenBonds) -> tuple[Int[np.ndarray, " d"], Int[np.ndarray, " d"]]:
    """Reads the geometries of double bonds, of molecules in which two bonds are written with a direction.

    So many say that one double bond has a geometry. Of more, it is not told which double bond they are for.

    Args:
        bonds: The bonds.
    Returns:
        Places of double bonds whose geometry is known, and `CIS` or `TRANS`, which says where at either end
        the neighbour lies that is written first.
    """
    directed = np.bincount(bonds.graph, bonds.turn != 0)
    places = np.flatnonzero(directed[bonds.graph] == 2)
    if not len(places):
        return places, places
    _, first, second, double, turn = bonds.take(places)
    count = 1 + max(first.max(), second.max())
    marked = np.flatnonzero(turn)
    # Which neighbour of an atom a direction leads to, and whether that lies above it.
    named, above = np.full(count, -1), np.zeros(count, dtype=np.int64)
    named[first[marked]], above[first[marked]] = second[marked], turn[marked]
    named[second[marked]], above[second[marked]] = first[marked], -turn[marked]
    fixed = np.flatnonzero(double & (above[first] != 0) & (above[second] != 0))
    others = np.delete(np.arange(len(places)), fixed)
    lowest = np.full(count, count)
    np.minimum.at(lowest, first[others], second[others])
    np.minimum.at(lowest, second[others], first[others])
    side = np.where(named == lowest, above, -above)
    return places[fixed], np.where(side[first[fixed]] == side[second[fixed]], CIS, TRANS)
