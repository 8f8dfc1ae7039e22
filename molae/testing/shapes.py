"""Graphs whose symmetry is exact by construction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations, product

import numpy as np
from jaxtyping import Float

from molae.chem.featurise import ordered
from molae.chem.vocabulary import BONDS, ELEMENTS
from molae.types import Graph

Points = Sequence[tuple[float, float, float]]

SINGLE, DOUBLE, TRIPLE, AROMATIC = range(1, len(BONDS))

TETRIS: dict[str, Points] = {
    "chiral_shape_1": [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0)],
    "chiral_shape_2": [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, -1, 0)],
    "square": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)],
    "line": [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)],
    "corner": [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)],
    "L": [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)],
    "T": [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)],
    "zigzag": [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)],
}


def points(pos: Points) -> Graph:
    """Nodes of one kind at the given positions in Å, without edges: only the shape tells them apart."""
    array = np.array(pos, dtype=float)
    return ordered(
        np.zeros((len(array), 4), dtype=np.int64), np.zeros((len(array),) * 2, dtype=np.int64), array
    )


def atoms(
    groups: Iterable[tuple[str, int, Points]], lengths: Iterable[tuple[float, float, int]] = ()
) -> Graph:
    """A molecule from positions, its bonds found by their lengths.

    Args:
        groups: Element, number of implicit hydrogens, and positions in Å, of atoms that are alike.
        lengths: Shortest and longest distance in Å, and category, of the bonds.
    Returns:
        The graph.

    Example:
        >>> len(atoms([("C", 0, [(0, 0, 0)]), ("O", 0, [(1.16, 0, 0), (-1.16, 0, 0)])], [(1.0, 1.3, DOUBLE)]))
        3
    """
    groups = list(groups)
    nodes = [
        (ELEMENTS.index(symbol), 0, hydrogens, 0)
        for symbol, hydrogens, pos in groups
        for _ in range(len(pos))
    ]
    array = np.array([xyz for *_, pos in groups for xyz in pos], dtype=float).reshape(-1, 3)
    distance = np.linalg.norm(array[:, None] - array[None], axis=-1)
    edges = np.zeros(distance.shape, dtype=np.int64)
    for shortest, longest, category in lengths:
        edges[(shortest < distance) & (distance < longest)] = category
    return ordered(np.array(nodes, dtype=np.int64).reshape(-1, 4), edges, array)


def tetrahedral(point: tuple[float, float, float]) -> Points:
    """All images of a point under T_d, the group of the regular tetrahedron."""
    signs = [s for s in product((1, -1), repeat=3) if np.prod(s) == 1]
    return _images(np.array(point)[list(p)] * s for p in permutations(range(3)) for s in signs)


def octahedral(point: tuple[float, float, float]) -> Points:
    """All images of a point under O_h, the group of the cube."""
    signs = list(product((1, -1), repeat=3))
    return _images(np.array(point)[list(p)] * s for p in permutations(range(3)) for s in signs)


def ring(radius: float, size: int) -> Points:
    """Corners of a regular polygon."""
    angles = 2 * np.pi * np.arange(size) / size
    return [(radius * np.cos(a), radius * np.sin(a), 0.0) for a in angles]


def tub(x: float, y: float, z: float) -> Points:
    """All images of a point under D_2d, whose rotations take it to but half of them."""
    half = [(x, y, z), (-x, -y, z), (y, -x, -z), (-y, x, -z)]
    return half + [(a, -b, -c) for a, b, c in half]


def truncated_icosahedron(edge: float) -> Points:
    """Corners of the football, the shape of C60."""
    phi = (1 + 5**0.5) / 2
    seeds = [(0, 1, 3 * phi), (1, 2 + phi, 2 * phi), (phi, 2, 2 * phi + 1)]
    return _images(
        np.roll(np.array(seed) * s, shift) * edge / 2
        for seed in seeds
        for s in product((1, -1), repeat=3)
        for shift in range(3)
    )


def methane() -> Graph:
    """CH4 with its hydrogens as nodes, T_d."""
    return atoms([("C", 0, [(0, 0, 0)]), ("H", 0, tetrahedral((0.63, 0.63, 0.63)))], [(1.0, 1.2, SINGLE)])


def neopentane() -> Graph:
    """C(CH3)4 with its hydrogens as nodes, staggered, T_d."""
    a, (away, across) = 0.8833, 1.09 * np.array([1 / 3, 8**0.5 / 3]) / np.array([3**0.5, 6**0.5])
    hydrogens = tetrahedral((a + away - 2 * across, a + away + across, a + away + across))
    return atoms(
        [("C", 0, [(0, 0, 0)]), ("C", 0, tetrahedral((a, a, a))), ("H", 0, hydrogens)],
        [(1.0, 1.2, SINGLE), (1.5, 1.6, SINGLE)],
    )


def cubane() -> Graph:
    """C8H8 with its hydrogens as nodes, O_h."""
    return atoms(
        [("C", 0, octahedral((0.785, 0.785, 0.785))), ("H", 0, octahedral((1.41, 1.41, 1.41)))],
        [(1.0, 1.2, SINGLE), (1.5, 1.6, SINGLE)],
    )


def adamantane() -> Graph:
    """C10H16 with its hydrogens as nodes, T_d."""
    return atoms(
        [
            ("C", 0, tetrahedral((0.89, 0.89, 0.89))),
            ("C", 0, tetrahedral((1.78, 0.0, 0.0))),
            ("H", 0, tetrahedral((1.52, 1.52, 1.52))),
            ("H", 0, tetrahedral((2.41, 0.63, -0.63))),
        ],
        [(1.0, 1.2, SINGLE), (1.5, 1.6, SINGLE)],
    )


def benzene(hydrogens: bool = False) -> Graph:
    """C6H6, D_6h; its hydrogens as nodes or not."""
    if not hydrogens:
        return atoms([("C", 1, ring(1.39, 6))], [(1.3, 1.5, AROMATIC)])
    return atoms(
        [("C", 0, ring(1.39, 6)), ("H", 0, ring(2.48, 6))], [(1.3, 1.5, AROMATIC), (1.0, 1.2, SINGLE)]
    )


def cyclooctatetraene() -> Graph:
    """C8H8, the tub, D_2d: half of the carbons are mirror images of the other half, and of one kind."""
    return atoms([("C", 1, tub(1.59, 0.64, 0.37))], [(1.2, 1.4, DOUBLE), (1.4, 1.6, SINGLE)])


def sulfur_hexafluoride() -> Graph:
    """SF6, O_h."""
    return atoms([("S", 0, [(0, 0, 0)]), ("F", 0, octahedral((1.56, 0.0, 0.0)))], [(1.5, 1.6, SINGLE)])


def carbon_dioxide() -> Graph:
    """CO2, linear."""
    return atoms([("C", 0, [(0, 0, 0)]), ("O", 0, [(0, 0, 1.16), (0, 0, -1.16)])], [(1.1, 1.2, DOUBLE)])


def acetylene() -> Graph:
    """C2H2 with its hydrogens as nodes, linear."""
    return atoms(
        [("C", 0, [(0, 0, 0.6), (0, 0, -0.6)]), ("H", 0, [(0, 0, 1.66), (0, 0, -1.66)])],
        [(1.15, 1.25, TRIPLE), (1.0, 1.1, SINGLE)],
    )


def difluoroallene() -> Graph:
    """FHC=C=CHF, chiral along its axis, C_2."""
    fluorines = [(1.8, 1.2, 0.0), (-1.8, 0.0, 1.2)]
    return atoms(
        [("C", 0, [(0, 0, 0)]), ("C", 1, [(1.31, 0, 0), (-1.31, 0, 0)]), ("F", 0, fluorines)],
        [(1.25, 1.28, SINGLE), (1.29, 1.35, DOUBLE)],
    )


def buckminsterfullerene() -> Graph:
    """C60, I_h, all bonds alike."""
    return atoms([("C", 0, truncated_icosahedron(1.44))], [(1.4, 1.5, AROMATIC)])


def _images(candidates: Iterable[Float[np.ndarray, " 3"]]) -> Points:
    """Each position once, in a fixed order."""
    return sorted({(float(x) + 0.0, float(y) + 0.0, float(z) + 0.0) for x, y, z in candidates})
