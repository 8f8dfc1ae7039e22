"""Stereochemistry read from 3D positions: the one recipe behind parsing, decoding and the metrics."""

from __future__ import annotations

from rdkit import Chem
from rdkit.Chem import rdqueries

from molae.errors import RowError

_MARKED = rdqueries.HasChiralTagQueryAtom()
_TETRAHEDRAL = {Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW}
_AXES = {Chem.BondStereo.STEREOATROPCW, Chem.BondStereo.STEREOATROPCCW}


def has_positions(mol: Chem.Mol) -> bool:
    """Whether the molecule carries a 3D conformer, and not merely a drawing."""
    return mol.GetNumConformers() > 0 and mol.GetConformer().Is3D()


def marked_atoms(mol: Chem.Mol) -> list[Chem.Atom]:
    """The atoms that have a chiral tag, several times faster than by asking each."""
    return list(mol.GetAtomsMatchingQuery(_MARKED))


def has_other_stereo(mol: Chem.Mol) -> bool:
    """Whether RDKit holds stereo of the molecule that is not of a tetrahedral centre or a double bond."""
    tags = {atom.GetChiralTag() for atom in marked_atoms(mol)}
    return bool(tags - _TETRAHEDRAL or {bond.GetStereo() for bond in mol.GetBonds()} & _AXES)


def assign_stereo_from_positions(mol: Chem.Mol) -> Chem.Mol:
    """Reads every stereocentre and double bond from the first conformer, and from nothing else.

    Works on heavy atoms with implicit hydrogens too. The geometry of an imine such as `N=CC` is seen only
    while its hydrogen is an atom: assign before removing hydrogens, and RDKit then keeps that one.

    Args:
        mol: Sanitised molecule with a 3D conformer, in Å.
    Returns:
        A copy whose tags are those of the positions; tags and marks that the molecule had are gone, those
        of unspecified double bonds too.
    Raises:
        RowError: `no_positions`, if there is no 3D conformer.
    """
    if not has_positions(mol):
        raise RowError("stereo from positions needs a molecule with a 3D conformer, got none", "no_positions")
    mol = Chem.Mol(mol)
    # RDKit keeps bonds marked as unspecified unless all is cleared first.
    Chem.RemoveStereochemistry(mol)
    Chem.AssignStereochemistryFrom3D(mol, replaceExistingTags=True)
    return mol
