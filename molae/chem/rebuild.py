"""From decoded arrays back to an RDKit molecule."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem
from rdkit.Geometry import Point3D
from rdkit.rdBase import BlockLogs

from molae.chem.parity import set_parity, set_side
from molae.chem.stereo import assign_stereo_from_positions
from molae.chem.vocabulary import BONDS, CHARGES, CIS, ELEMENTS, NODE_CHANNELS
from molae.errors import RowError


def rebuild(
    nodes: Int[np.ndarray, "n k"], edges: Int[np.ndarray, "n n"], pos: Float[np.ndarray, "n 3"] | None
) -> Chem.Mol:
    """Builds the molecule that the arrays describe.

    Stereo is read from the positions; without them from the categories, which hold for atoms in the order of
    the slots. Categories of stereo where there is nothing to configure are left aside.

    Args:
        nodes: Categories of the atoms in the channels of `molae.chem.vocabulary.NODE_CHANNELS`, or of
            `ISOMER_CHANNELS`, which have the stereo.
        edges: Symmetric matrix of bond categories.
        pos: Positions in Å, or None.
    Returns:
        A sanitised molecule with one conformer, where there are positions.
    Raises:
        RowError: If RDKit cannot make a valid molecule of the arrays; nothing is repaired.
    """
    mol = Chem.RWMol()
    for category, charge, hydrogens, radicals, *_ in nodes.tolist():
        atom = Chem.Atom(ELEMENTS[category])
        atom.SetFormalCharge(CHARGES[charge])
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetNumRadicalElectrons(radicals)
        mol.AddAtom(atom)
    for i, j in np.argwhere(np.triu(edges, 1)).tolist():
        bond = Chem.BondType.DOUBLE if edges[i, j] >= CIS else BONDS[edges[i, j]]
        mol.AddBond(i, j, bond)
        if bond == Chem.BondType.AROMATIC:
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
    return _configured(mol, nodes, edges) if pos is None else assign_stereo_from_positions(mol)


def _configured(mol: Chem.Mol, nodes: Int[np.ndarray, "n k"], edges: Int[np.ndarray, "n n"]) -> Chem.Mol:
    """The molecule with the stereo of the categories."""
    # Bonds were added in the order of their atoms, so that every atom has its neighbours in that order.
    for atom in np.flatnonzero(nodes[:, len(NODE_CHANNELS) :].any(axis=1)).tolist():
        set_parity(mol.GetAtomWithIdx(atom), int(nodes[atom, len(NODE_CHANNELS)]))
    for i, j in np.argwhere(np.triu(edges >= CIS, 1)).tolist():
        set_side(mol.GetBondBetweenAtoms(i, j), int(edges[i, j]))
    # RDKit keeps, of what is set, only what the directions of the single bonds say too.
    Chem.SetDoubleBondNeighborDirections(mol)
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    return mol


def _conformer(pos: Float[np.ndarray, "n 3"]) -> Chem.Conformer:
    conformer = Chem.Conformer(len(pos))
    conformer.Set3D(True)
    for atom, xyz in enumerate(pos.astype(float).tolist()):
        conformer.SetAtomPosition(atom, Point3D(*xyz))
    return conformer
