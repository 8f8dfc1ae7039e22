"""Relaxation of a conformer whose torsion angles are held."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers
from rdkit.ForceField.rdForceField import ForceField

from molae.chem.isomers import with_positions

# In kcal/mol per square degree. Ten times as much holds no better, and the minimisation gets stuck.
_STRENGTH = 0.1
_STEPS = 200


def relax_restrained(
    mol: Chem.Mol,
    pos: Float[np.ndarray, "n 3"],
    atoms: Int[np.ndarray, "r 4"],
    angles: Float[np.ndarray, " r"],
) -> Float[np.ndarray, "n 3"]:
    """Relaxes a conformer by MMFF94s, or by UFF where it lacks parameters, towards torsion angles.

    Args:
        mol: Molecule with all hydrogens as atoms; its own conformers are ignored.
        pos: Positions to begin with, in Å.
        atoms: The four atoms of each torsion that is held.
        angles: What it is to be, in radians.
    Returns:
        Positions after at most 200 steps; those to begin with where both fields lack parameters.
    """
    posed = with_positions(mol, pos[None])
    field = _field(posed)
    if field is None:
        return pos
    add = field.MMFFAddTorsionConstraint if _has_mmff(posed) else field.UFFAddTorsionConstraint
    for four, angle in zip(atoms.tolist(), np.degrees(angles).tolist(), strict=True):
        add(*four, False, angle, angle, _STRENGTH)  # type: ignore[call-arg]  # RDKit's stub knows none
    field.Initialize()
    field.Minimize(maxIts=_STEPS)
    return posed.GetConformer().GetPositions()


def _has_mmff(mol: Chem.Mol) -> bool:
    return bool(rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol))


def _field(mol: Chem.Mol) -> ForceField | None:
    if _has_mmff(mol):
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant="MMFF94s")
        return rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
    if rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        return rdForceFieldHelpers.UFFGetMoleculeForceField(mol)
    return None
