"""Relaxation of conformers by a force field."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

RELAXATION_STEPS = 1000


def relax_force_field(mol: Chem.Mol) -> tuple[str | None, Float[np.ndarray, " s"]]:
    """Relaxes all conformers of a molecule in place, by MMFF94s, or by UFF where it lacks parameters.

    Args:
        mol: Molecule with all hydrogens as atoms; positions in Å.
    Returns:
        `MMFF94s`, `UFF`, or None where both lack parameters and nothing was done; and the energies of the
        conformers in kcal/mol, NaN where there are none.
    """
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        found = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(
            mol, maxIters=RELAXATION_STEPS, mmffVariant="MMFF94s"
        )
        return "MMFF94s", np.array([energy for _, energy in found])
    if rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        found = rdForceFieldHelpers.UFFOptimizeMoleculeConfs(mol, maxIters=RELAXATION_STEPS)
        return "UFF", np.array([energy for _, energy in found])
    return None, np.full(mol.GetNumConformers(), np.nan)
