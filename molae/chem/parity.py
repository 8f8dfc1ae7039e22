"""Configurations as categories relative to the slots: the stereo of a molecule without positions.

A centre has a parity, a double bond a side (see `molae.chem.vocabulary`). Both refer to the order of the
slots, so that they are the same for every numbering of the molecule if the order is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Int
from rdkit import Chem
from rdkit.Chem import rdqueries

from molae.chem.vocabulary import BONDS, CIS, TRANS

_ANTICLOCKWISE = Chem.ChiralType.CHI_TETRAHEDRAL_CCW
_CLOCKWISE = Chem.ChiralType.CHI_TETRAHEDRAL_CW
_PARITY = {_ANTICLOCKWISE: 1, _CLOCKWISE: 2}
_TAG = {parity: tag for tag, parity in _PARITY.items()}
# RDKit's E and Z refer to the two atoms that the bond names, as its cis and trans do.
_SIDE = {
    Chem.BondStereo.STEREOZ: CIS,
    Chem.BondStereo.STEREOCIS: CIS,
    Chem.BondStereo.STEREOE: TRANS,
    Chem.BondStereo.STEREOTRANS: TRANS,
}
_DOUBLE = BONDS.index(Chem.BondType.DOUBLE)
_AS_WRITTEN = Chem.SmilesParserParams()
_AS_WRITTEN.sanitize = False  # type: ignore[assignment]  # RDKit's stub is wrong
_AS_WRITTEN.removeHs = False  # type: ignore[assignment]
_TAGGED = rdqueries.HasChiralTagQueryAtom()


def parities(smiles: str) -> dict[int, int]:
    """Parities of the tetrahedral centres of a molecule whose slots are in the order of its SMILES.

    They are read from the SMILES, since of the equal ways to mark centres that are such only by one another,
    as those of 1,4-dimethylcyclohexane, RDKit chooses while it writes.

    Args:
        smiles: Canonical isomeric SMILES.
    Returns:
        Category of each slot that has one other than 0.
    """
    mol = Chem.MolFromSmiles(smiles, _AS_WRITTEN)
    found = {}
    for atom in mol.GetAtomsMatchingQuery(_TAGGED):
        if parity := _PARITY.get(atom.GetChiralTag()):
            around = [near.GetIdx() for near in atom.GetNeighbors()]
            found[atom.GetIdx()] = parity if _is_even(around) else 3 - parity
    return found


def sides(mol: Chem.Mol, slot: Sequence[int], edges: Int[np.ndarray, "n n"]) -> dict[tuple[int, int], int]:
    """Categories of the double bonds whose geometry is known, by their atoms.

    Args:
        mol: Molecule with its stereo assigned.
        slot: Slot of each atom.
        edges: Matrix of bond categories.
    Returns:
        `CIS` or `TRANS` for each such bond.
    """
    found = {}
    for i, j in np.argwhere(np.triu(edges == _DOUBLE)).tolist():
        bond = mol.GetBondBetweenAtoms(i, j)
        if side := _SIDE.get(bond.GetStereo()):
            named = tuple(bond.GetStereoAtoms())
            lowest = (_lowest(bond.GetBeginAtom(), bond, slot), _lowest(bond.GetEndAtom(), bond, slot))
            swaps = sum(a != b for a, b in zip(named, lowest, strict=True))
            found[i, j] = side if swaps % 2 == 0 else CIS + TRANS - side
    return found


def set_parity(atom: Chem.Atom, parity: int) -> None:
    """Gives an atom the configuration of a category; its bonds must be in the order of the slots."""
    if parity in _TAG:
        atom.SetChiralTag(_TAG[parity])


def set_side(bond: Chem.Bond, category: int) -> None:
    """Gives a double bond between atoms in slot order the geometry of a category, if its ends have others."""
    slot = range(bond.GetOwningMol().GetNumAtoms())
    begin, end = _lowest(bond.GetBeginAtom(), bond, slot), _lowest(bond.GetEndAtom(), bond, slot)
    if begin is not None and end is not None:
        bond.SetStereoAtoms(begin, end)
        bond.SetStereo(Chem.BondStereo.STEREOCIS if category == CIS else Chem.BondStereo.STEREOTRANS)


def _lowest(end: Chem.Atom, bond: Chem.Bond, slot: Sequence[int]) -> int | None:
    """The neighbour of lowest slot at one end of a bond, the other end left aside."""
    other = bond.GetOtherAtomIdx(end.GetIdx())
    around = [near.GetIdx() for near in end.GetNeighbors() if near.GetIdx() != other]
    return min(around, key=slot.__getitem__, default=None)


def _is_even(values: Sequence[int]) -> bool:
    """Whether an even number of exchanges sorts the values."""
    return sum(a > b for a, b in combinations(values, 2)) % 2 == 0
