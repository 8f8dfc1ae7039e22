"""The canonical order of a molecule without positions: that of its canonical SMILES.

RDKit writes a molecule in one call, many times faster than atoms are asked for what they are one by one. So
what the SMILES tells of the atoms is taken from it, too.
"""

from __future__ import annotations

from typing import NamedTuple

from rdkit import Chem

_WRITER = Chem.SmilesWriteParams()
_WRITER.allHsExplicit = True  # type: ignore[assignment]  # RDKit's stub is wrong


class Written(NamedTuple):
    """A molecule as its canonical SMILES has it.

    Attributes:
        mol: The molecule.
        smiles: The SMILES, every atom in brackets with all its hydrogens.
    """

    mol: Chem.Mol
    smiles: str

    @property
    def order(self) -> list[int]:
        """Atoms in the order in which they are written, as long as the molecule is not written anew."""
        # As text: RDKit's vector of integers takes ten times as long to read.
        listed = self.mol.GetProp("_smilesAtomOutputOrder").strip("[,]")
        return [int(atom) for atom in listed.split(",")] if listed else []

    @property
    def atoms(self) -> list[str]:
        """What is written for each atom from within its bracket to ahead of the next."""
        return self.smiles.split("[")[1:]

    @property
    def has_sides(self) -> bool:
        """Whether any double bond has one."""
        return "/" in self.smiles or "\\" in self.smiles


def write(mol: Chem.Mol) -> Written:
    """Writes a molecule as canonical isomeric SMILES.

    Args:
        mol: Sanitised molecule with its stereo assigned.
    Returns:
        The SMILES and the order of its atoms.
    """
    return Written(mol, Chem.MolToSmiles(mol, _WRITER))
