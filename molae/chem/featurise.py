"""From an RDKit molecule to the arrays that a model reads."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from rdkit import Chem

from molae.chem.categories import atom_categories, edge_matrix, require_size
from molae.chem.line import line_of, make_nodes, untold_bonds
from molae.chem.order import canonical_order
from molae.chem.vocabulary import ELEMENTS
from molae.chem.written import write
from molae.graphs.refine import rank_within
from molae.types import Graph

_HYDROGEN = ELEMENTS.index("H")


def featurise(mol: Chem.Mol, max_nodes: int | None = None) -> Graph:
    """Turns a molecule into a graph in arrays, with its canonical order.

    Hydrogens that are atoms of `mol` become nodes; the others are counted on the atom that bears them.

    Args:
        mol: Sanitised molecule; its first conformer, where it has one, gives the positions.
        max_nodes: Most nodes that the model takes.
    Returns:
        The graph; positions in Å, float64.
    Raises:
        RowError: If an atom or bond is outside the vocabulary, or the molecule is too large.
    """
    require_size(mol, max_nodes)
    nodes = np.array([atom_categories(atom) for atom in mol.GetAtoms()], dtype=np.int64).reshape(-1, 4)
    edges = edge_matrix(mol)
    pos = mol.GetConformer().GetPositions() if mol.GetNumConformers() else None
    return ordered(nodes, edges, pos)


def featurise_isomer(mol: Chem.Mol, max_nodes: int | None = None, ranked: bool = True) -> Graph:
    """Turns a molecule into a graph without positions, its stereo in categories relative to the slots.

    The slots are in the order in which RDKit writes the atoms of the canonical SMILES, which is the same for
    every numbering of a stereoisomer; about 1 in 10,000 molecules, small cages, are exceptions.

    Args:
        mol: Sanitised molecule with its stereo assigned.
        max_nodes: Most nodes that the model takes.
        ranked: Whether the nodes get their ranks `tie` at once, not by `rank_alike` where they are needed.
    Returns:
        The graph, with the channels `molae.chem.vocabulary.ISOMER_CHANNELS`.
    Raises:
        RowError: As `featurise`.
    """
    require_size(mol, max_nodes)
    written = write(mol)
    line = line_of(mol, written)
    order = np.array(written.order, dtype=np.int64)
    slot = np.empty_like(order)
    slot[order] = np.arange(len(order))
    nodes = make_nodes([line]).take(slot, axis=0).astype(np.int64)
    edges = edge_matrix(mol)
    for first, second, category in line.bonds or (untold_bonds(mol, written) if written.has_sides else ()):
        i, j = order[first], order[second]
        edges[i, j] = edges[j, i] = category
    return Graph(nodes, edges, None, slot, slot, rank_alike(mol, slot) if ranked else None)


def rank_alike(mol: Chem.Mol, slot: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Rank of each atom, by its slot, among the atoms that only the stereo may tell from it."""
    cells = np.array(list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False)))
    return rank_within(cells, slot)


def ordered(nodes: np.ndarray, edges: np.ndarray, pos: np.ndarray | None) -> Graph:
    """Adds the canonical orders of a graph and of its mirror image (arrays as in `molae.types.Graph`)."""
    hydrogen = nodes[:, 0] == _HYDROGEN
    order = canonical_order(nodes, edges, pos, hydrogen)
    mirror = canonical_order(nodes, edges, -pos, hydrogen) if order.signed and pos is not None else order
    return Graph(nodes, edges, pos, order.slot, mirror.slot, order.tie)
