"""The categories of atoms and bonds, asked of RDKit one by one, and what has none."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from rdkit import Chem

from molae.chem.vocabulary import ATOMIC_NUMBERS, BONDS, CHARGES, ELEMENTS, MOST_HYDROGENS, MOST_RADICALS
from molae.errors import RowError

_ELEMENT = {number: category for category, number in enumerate(ATOMIC_NUMBERS)}
CHARGE = {charge: category for category, charge in enumerate(CHARGES)}
"""Category by formal charge."""
# Category by twice the order of the bond, which is at most 6; 0 where it is not known.
_BY_ORDER = np.zeros(13, dtype=np.int64)
_BY_ORDER[[0, 2, 4, 6, 3]] = range(len(BONDS))


def atom_categories(atom: Chem.Atom) -> tuple[int, int, int, int]:
    """Categories of an atom in the channels of `molae.chem.vocabulary.NODE_CHANNELS`.

    Raises:
        RowError: If it has none in one of them.
    """
    symbol, number = atom.GetSymbol(), atom.GetIdx()
    if atom.GetAtomicNum() not in _ELEMENT:
        raise RowError(f"element {symbol} (atom {number}) is none of {' '.join(ELEMENTS)}", "element")
    if atom.GetFormalCharge() not in CHARGE:
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
        CHARGE[atom.GetFormalCharge()],
        atom.GetTotalNumHs(),
        atom.GetNumRadicalElectrons(),
    )


def edge_matrix(mol: Chem.Mol) -> Int[np.ndarray, "n n"]:
    """Matrix of bond categories.

    Raises:
        RowError: If a bond has none.
    """
    doubled = 2 * Chem.GetAdjacencyMatrix(mol, useBO=True, force=True)
    edges = _BY_ORDER.take(doubled.astype(np.intp))
    # Bonds of a kind that is not known, or that has a direction, are not in the matrix as others are.
    if np.count_nonzero(edges) != 2 * mol.GetNumBonds():
        require_bonds(mol)
    return edges


def require_bonds(mol: Chem.Mol) -> None:
    """Raises RowError for a bond that has no category."""
    for bond in mol.GetBonds():
        if bond.GetBondType() not in BONDS[1:]:
            raise RowError(f"bond type {bond.GetBondType().name.lower()} is not known to the model", "bond")


def require_size(mol: Chem.Mol, max_nodes: int | None) -> None:
    """Raises RowError for a molecule of more atoms than a model takes."""
    if max_nodes is not None and mol.GetNumAtoms() > max_nodes:
        raise RowError(f"{mol.GetNumAtoms()} atoms, the model takes at most {max_nodes}", "too_large")
