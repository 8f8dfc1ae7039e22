"""From an RDKit molecule to the arrays that a model reads."""

from __future__ import annotations

import numpy as np
from rdkit import Chem

from molae.chem.order import canonical_order
from molae.chem.vocabulary import ATOMIC_NUMBERS, BONDS, CHARGES, ELEMENTS, MOST_HYDROGENS, MOST_RADICALS
from molae.errors import RowError
from molae.types import Graph

_ELEMENT = {number: category for category, number in enumerate(ATOMIC_NUMBERS)}
_CHARGE = {charge: category for category, charge in enumerate(CHARGES)}
_BOND = {bond: category for category, bond in enumerate(BONDS) if category > 0}


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
    if max_nodes is not None and mol.GetNumAtoms() > max_nodes:
        raise RowError(f"{mol.GetNumAtoms()} atoms, the model takes at most {max_nodes}", "too_large")
    nodes = np.array([_atom(atom) for atom in mol.GetAtoms()], dtype=np.int64).reshape(-1, 4)
    edges = np.zeros((len(nodes), len(nodes)), dtype=np.int64)
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        edges[i, j] = edges[j, i] = _bond(bond)
    pos = mol.GetConformer().GetPositions() if mol.GetNumConformers() else None
    return ordered(nodes, edges, pos)


def ordered(nodes: np.ndarray, edges: np.ndarray, pos: np.ndarray | None) -> Graph:
    """Adds the canonical orders of a graph and of its mirror image (arrays as in `molae.types.Graph`)."""
    hydrogen = nodes[:, 0] == _ELEMENT[1]
    order = canonical_order(nodes, edges, pos, hydrogen)
    mirror = canonical_order(nodes, edges, -pos, hydrogen) if order.signed and pos is not None else order
    return Graph(nodes, edges, pos, order.slot, mirror.slot, order.tie)


def _atom(atom: Chem.Atom) -> tuple[int, int, int, int]:
    """Categories of one atom in the channels of `molae.chem.vocabulary.NODE_CHANNELS`."""
    symbol, number = atom.GetSymbol(), atom.GetIdx()
    if atom.GetAtomicNum() not in _ELEMENT:
        raise RowError(f"element {symbol} (atom {number}) is none of {' '.join(ELEMENTS)}", "element")
    if atom.GetFormalCharge() not in _CHARGE:
        raise RowError(
            f"charge {atom.GetFormalCharge():+d} on {symbol} (atom {number}) is out of range", "charge"
        )
    if atom.GetTotalNumHs() > MOST_HYDROGENS:
        raise RowError(f"{atom.GetTotalNumHs()} hydrogens on {symbol} (atom {number})", "valence")
    if atom.GetNumRadicalElectrons() > MOST_RADICALS:
        raise RowError(
            f"{atom.GetNumRadicalElectrons()} unpaired electrons on {symbol} (atom {number})", "radical"
        )
    return (
        _ELEMENT[atom.GetAtomicNum()],
        _CHARGE[atom.GetFormalCharge()],
        atom.GetTotalNumHs(),
        atom.GetNumRadicalElectrons(),
    )


def _bond(bond: Chem.Bond) -> int:
    """Category of one bond."""
    if bond.GetBondType() not in _BOND:
        raise RowError(f"bond type {bond.GetBondType().name.lower()} is not known to the model", "bond")
    return _BOND[bond.GetBondType()]
