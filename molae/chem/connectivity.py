"""Whether positions are still those of a molecule: bonds neither broken nor formed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from scipy.spatial.distance import cdist

from molae.errors import RowError

# A bond longer than this many times the sum of the covalent radii is broken ...
_BROKEN = 1.3
# ... and atoms nearer than this, of which no path of two bonds tells why, are bound. Strong hydrogen bonds
# are at 1.4 and beyond.
_FORMED = 1.15


def require_connectivity(mol: Chem.Mol, positions: Float[np.ndarray, "n 3"]) -> None:
    """Checks that positions are those of the molecule that the bonds say.

    Args:
        mol: Molecule with all hydrogens as atoms.
        positions: Positions of its atoms, in Å.
    Raises:
        RowError: `bond_broken` or `bond_formed`, which names the bond.
    """
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(atom.GetAtomicNum()) for atom in mol.GetAtoms()])
    ratio = cdist(positions, positions) / (radii[:, None] + radii)
    # Atoms without a path between them are very far from one another.
    steps = np.asarray(Chem.GetDistanceMatrix(mol))
    _require_none(mol, (steps == 1) & (ratio > _BROKEN), "broken")
    _require_none(mol, (steps > 2) & (ratio < _FORMED), "formed")


def _require_none(mol: Chem.Mol, wrong: np.ndarray, what: str) -> None:
    if wrong.any():
        ends = [mol.GetAtomWithIdx(int(place)) for place in np.argwhere(wrong)[0]]
        name = "-".join(f"{atom.GetSymbol()}{atom.GetIdx()}" for atom in ends)
        raise RowError(f"another molecule: the bond {name} is {what}", f"bond_{what}")
