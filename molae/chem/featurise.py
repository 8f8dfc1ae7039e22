"""From an RDKit molecule to the arrays that a model reads."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from jaxtyping import Int
from rdkit import Chem
from rdkit.Chem import rdqueries

from molae.chem.order import canonical_order
from molae.chem.parity import parities, sides
from molae.chem.vocabulary import (
    ATOMIC_NUMBERS,
    BONDS,
    CHARGES,
    ELEMENTS,
    ISOMER_CHANNELS,
    MOST_HYDROGENS,
    MOST_RADICALS,
)
from molae.chem.written import Written, write
from molae.errors import RowError
from molae.graphs.refine import rank_within
from molae.types import Graph

_SYMBOL = {symbol: category for category, symbol in enumerate(ELEMENTS)}
_ELEMENT = {number: category for category, number in enumerate(ATOMIC_NUMBERS)}
_CHARGE = {charge: category for category, charge in enumerate(CHARGES)}
# Category by twice the order of the bond, which is at most 6; 0 where it is not known.
_BY_ORDER = np.zeros(13, dtype=np.int64)
_BY_ORDER[[0, 2, 4, 6, 3]] = range(len(BONDS))
_RADICAL = rdqueries.NumRadicalElectronsGreaterQueryAtom(0)
_WRITTEN = re.compile(
    r"\[(?P<element>se|si|[bcnops]|[A-Z][a-z]?)@*(?:H(?P<hydrogens>\d*))?(?P<charge>[+-]\d*)?\]"
)


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
    _require_size(mol, max_nodes)
    nodes = np.array([_atom(atom) for atom in mol.GetAtoms()], dtype=np.int64).reshape(-1, 4)
    edges = _edge_matrix(mol)
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
    _require_size(mol, max_nodes)
    written = write(mol)
    order = written.order
    slot = np.empty_like(order)
    slot[order] = np.arange(len(order))
    nodes = _as_written(mol, written).take(slot, axis=0).astype(np.int64)
    # Few molecules have any, and this is quicker than to ask all of their atoms.
    if len(mol.GetAtomsMatchingQuery(_RADICAL)):
        nodes[:, :4] = [_atom(atom) for atom in mol.GetAtoms()]
    edges = _edge_matrix(mol)
    if written.has_centres:
        for place, parity in parities(written.smiles).items():
            nodes[order[place], 4] = parity
    if written.has_sides:
        for (i, j), side in sides(mol, slot.tolist(), edges).items():
            edges[i, j] = edges[j, i] = side
    return Graph(nodes, edges, None, slot, slot, rank_alike(mol, slot) if ranked else None)


def rank_alike(mol: Chem.Mol, slot: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Rank of each atom, by its slot, among the atoms that only the stereo may tell from it."""
    cells = np.array(list(Chem.CanonicalRankAtoms(mol, breakTies=False, includeChirality=False)))
    return rank_within(cells, slot)


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


def _require_bond(bond: Chem.Bond) -> None:
    if bond.GetBondType() not in BONDS[1:]:
        raise RowError(f"bond type {bond.GetBondType().name.lower()} is not known to the model", "bond")


def _as_written(mol: Chem.Mol, written: Written) -> Int[np.ndarray, "n k"]:
    """Categories of the atoms as they are written; unpaired electrons and parities, which an atom by itself
    does not tell, are 0."""
    rows = [_read(text) for text in written.atoms]
    known = [row or _asked(mol, written.order[place]) for place, row in enumerate(rows)]
    # As bytes: arrays are made of them many times faster than of tuples.
    return np.frombuffer(b"".join(known), dtype=np.uint8).reshape(-1, len(ISOMER_CHANNELS))


def _asked(mol: Chem.Mol, atom: int) -> bytes:
    return bytes((*_atom(mol.GetAtomWithIdx(int(atom)))[:3], 0, 0))


@lru_cache(maxsize=4096)
def _read(text: str) -> bytes | None:
    """Reads the categories, a byte each, from an atom in a SMILES; None for one that must be asked itself."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    element, hydrogens, charge = found.group("element", "hydrogens", "charge")
    category = _SYMBOL.get(element.capitalize())
    charges = _CHARGE.get(0 if charge is None else int(charge if charge[1:] else f"{charge}1"))
    count = 0 if hydrogens is None else int(hydrogens or 1)
    if category is None or charges is None or count > MOST_HYDROGENS:
        return None
    return bytes((category, charges, count, 0, 0))


def _edge_matrix(mol: Chem.Mol) -> Int[np.ndarray, "n n"]:
    """Matrix of bond categories."""
    doubled = 2 * Chem.GetAdjacencyMatrix(mol, useBO=True, force=True)
    edges = _BY_ORDER.take(doubled.astype(np.intp))
    # Bonds of a kind that is not known, or that has a direction, are not in the matrix as others are.
    if np.count_nonzero(edges) != 2 * mol.GetNumBonds():
        for bond in mol.GetBonds():
            _require_bond(bond)
    return edges


def _require_size(mol: Chem.Mol, max_nodes: int | None) -> None:
    if max_nodes is not None and mol.GetNumAtoms() > max_nodes:
        raise RowError(f"{mol.GetNumAtoms()} atoms, the model takes at most {max_nodes}", "too_large")
