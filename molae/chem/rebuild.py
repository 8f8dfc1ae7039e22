"""From decoded arrays back to an RDKit molecule."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem
from rdkit.Geometry import Point3D
from rdkit.rdBase import BlockLogs

from molae.chem.stereo import assign_stereo_from_positions
from molae.chem.vocabulary import BONDS, CHARGES, ELEMENTS
from molae.errors import RowError


def rebuild(
    nodes: Int[np.ndarray, "n 4"], edges: Int[np.ndarray, "n n"], pos: Float[np.ndarray, "n 3"] | None
) -> Chem.Mol:
    """Builds the molecule that the arrays describe, stereo read from the positions.

    Args:
        nodes: Categories of the atoms in the channels of `molae.chem.vocabulary.NODE_CHANNELS`.
        edges: Symmetric matrix of bond categories.
        pos: Positions in Å, or None.
    Returns:
        A sanitised molecule with one conformer, where there are positions.
    Raises:
        RowError: If RDKit cannot make a valid molecule of the arrays; nothing is repaired.
    """
    mol = Chem.RWMol()
    for element, charge, hydrogens, radicals in nodes.tolist():
        atom = Chem.Atom(ELEMENTS[element])
        atom.SetFormalCharge(CHARGES[charge])
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetNumRadicalElectrons(radicals)
        mol.AddAtom(atom)
    for i, j in np.argwhere(np.triu(edges, 1)).tolist():
        mol.AddBond(i, j, BONDS[edges[i, j]])
        if BONDS[edges[i, j]] == Chem.BondType.AROMATIC:
            for end in (i, j):
                mol.GetAtomWithIdx(end).SetIsAromatic(True)
    if pos is not None:
        mol.AddConformer(_conformer(pos))
    mol = mol.GetMol()
    try:
        with BlockLogs():
            Chem.SanitizeMol(mol)
    except (Chem.MolSanitizeException, ValueError) as error:
        raise RowError(f"decoded to no valid molecule: {error}", "not_sanitised") from error
    return mol if pos is None else assign_stereo_from_positions(mol)


def _conformer(pos: Float[np.ndarray, "n 3"]) -> Chem.Conformer:
    conformer = Chem.Conformer(len(pos))
    conformer.Set3D(True)
    for atom, xyz in enumerate(pos.astype(float).tolist()):
        conformer.SetAtomPosition(atom, Point3D(*xyz))
    return conformer
