"""The canonical order of a molecule without positions: that of its canonical SMILES.

RDKit writes a molecule in one call, many times faster than atoms are asked for what they are one by one. So
what the SMILES tells of the atoms is taken from it, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from rdkit import Chem

_WRITER = Chem.SmilesWriteParams()
_WRITER.allHsExplicit = True  # type: ignore[assignment]  # RDKit's stub is wrong
_ATOM = re.compile(r"\[[^]]*\]")


@dataclass(frozen=True)
class Written:
    """A molecule as its canonical SMILES has it.

    Attributes:
        smiles: The SMILES, every atom in brackets with all its hydrogens.
        listed: Atoms in the order in which they are written, as RDKit tells it.
    """

    smiles: str
    listed: str

    @property
    def order(self) -> Int[np.ndarray, " n"]:
        """Atoms in the order in which they are written."""
        return np.fromstring(self.listed.strip("[,]"), dtype=np.int64, sep=",")

    @property
    def atoms(self) -> list[str]:
        """What is written for each atom, brackets included."""
        return _ATOM.findall(self.smiles)

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
    smiles = Chem.MolToSmiles(mol, _WRITER)
    # As text: RDKit's vector of integers takes ten times as long to read.
    return Written(smiles, mol.GetProp("_smilesAtomOutputOrder"))
