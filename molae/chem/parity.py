"""Configurations as categories relative to the slots: the stereo of a molecule without positions.

A centre has a parity, a double bond a side (see `molae.chem.vocabulary`). Both refer to the order of the
slots, so that they are the same for every numbering of the molecule if the order is.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem

from molae.chem.vocabulary import CIS, TRANS

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
_DOUBLE = Chem.MolFromSmarts("*=*")


def sides(mol: Chem.Mol, slot: Sequence[int]) -> dict[tuple[int, int], int]:
    """Categories of the double bonds whose geometry is known, by their atoms.

    Args:
        mol: Molecule with its stereo assigned.
        slot: Slot of each atom.
    Returns:
        `CIS` or `TRANS` for each such bond.
    """
    found = {}
    for i, j in mol.GetSubstructMatches(_DOUBLE, maxMatches=mol.GetNumBonds()):
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
