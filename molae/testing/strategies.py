"""Hypothesis strategies; they need the `test` extra."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from molae.chem.featurise import ordered
from molae.testing.fixtures import molecule, random_smiles
from molae.testing.motions import Motion
from molae.types import Graph

seeds = st.integers(0, 2**32 - 1)


@st.composite
def rotations(draw: st.DrawFn) -> Float[np.ndarray, "3 3"]:
    """Uniform rotations."""
    return Rotation.random(rng=np.random.default_rng(draw(seeds))).as_matrix()


@st.composite
def renumberings(draw: st.DrawFn, size: int) -> np.ndarray:
    """Permutations of `size` nodes."""
    return np.array(draw(st.permutations(range(size))), dtype=np.int64)


@st.composite
def motions(draw: st.DrawFn, size: int) -> Motion:
    """Rotations, translations and renumberings of `size` nodes."""
    shift = st.floats(-20.0, 20.0)
    translation = np.array([draw(shift), draw(shift), draw(shift)])
    return Motion(draw(rotations()), translation, draw(renumberings(size)))


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 12, node_sizes: tuple[int, ...] = (13, 7, 5, 3)) -> Graph:
    """Random graphs at random positions, connected or not, of up to four edge types and three colours."""
    random = np.random.default_rng(draw(seeds))
    size = draw(st.integers(1, max_nodes))
    colours = draw(st.integers(1, 3))
    nodes = np.stack([random.integers(min(colours, k), size=size) for k in node_sizes], axis=1)
    half = np.triu(random.integers(1, 5, (size, size)) * (random.random((size, size)) < 2 / size), 1)
    return ordered(nodes, half + half.T, 1.5 * random.standard_normal((size, 3)))


@st.composite
def molecules(draw: st.DrawFn) -> Graph:
    """Drug-like molecules of up to 16 heavy atoms, with the positions of an ETKDG conformer."""
    return molecule(random_smiles(np.random.default_rng(draw(seeds))))
