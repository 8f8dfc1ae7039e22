"""Relaxation of conformers by the tight-binding method GFN2-xTB, through tblite."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from scipy import constants, optimize
from threadpoolctl import threadpool_limits

from molae.chem.connectivity import require_connectivity
from molae.errors import ConfigError, RowError

_physical = constants.physical_constants
BOHR = _physical["Bohr radius"][0] / constants.angstrom
"""One bohr in Å."""
HARTREE = _physical["Hartree energy"][0] * constants.Avogadro / (1000 * constants.calorie)
"""One hartree in kcal/mol."""

# Largest component of the gradient, in hartree per bohr, and most steps; xtb's usual criterion is 1e-3 in
# its norm.
_GRADIENT = 3e-4
_STEPS = 1000


@dataclass(frozen=True)
class Relaxed:
    """A conformer relaxed by GFN2-xTB in vacuum.

    Attributes:
        positions: Positions in Å.
        energy: Energy in kcal/mol.
        start: Energy before, in kcal/mol.
    """

    positions: Float[np.ndarray, "n 3"]
    energy: float
    start: float


def require_gfn2() -> None:
    """Checks that GFN2-xTB can be used.

    Raises:
        ConfigError: If tblite is not installed.
    """
    if find_spec("tblite") is None:
        raise ConfigError("GFN2-xTB needs tblite: pip install 'molae[conformers]'")


def energy_gfn2(mol: Chem.Mol, positions: Float[np.ndarray, "n 3"]) -> float:
    """Energy of a conformer by GFN2-xTB in vacuum, in kcal/mol, on one thread.

    Args:
        mol: Molecule with all hydrogens as atoms.
        positions: Its positions, in Å.
    Raises:
        ConfigError: If tblite is not installed.
        RowError: `gfn2_failed`, if the method does not converge.
    """
    require_gfn2()
    begin = np.asarray(positions, dtype=np.float64) / BOHR
    try:
        with threadpool_limits(1):
            return _Surface(mol, begin)(begin.ravel())[0] * HARTREE
    except RuntimeError as error:
        raise _failure(error) from error


def relax_gfn2(mol: Chem.Mol, positions: Float[np.ndarray, "n 3"]) -> Relaxed:
    """Relaxes a conformer by GFN2-xTB (Bannwarth 2019, doi:10.1021/acs.jctc.8b01176) in vacuum.

    One thread does it: the result must not depend on how many there are.

    Args:
        mol: Molecule with all hydrogens as atoms, for its elements, charge and radical electrons.
        positions: Where to begin, in Å.
    Returns:
        The relaxed conformer.
    Raises:
        ConfigError: If tblite is not installed.
        RowError: `gfn2_failed`, if the method does not converge; `bond_broken` or `bond_formed`, if the
            relaxed geometry is another molecule, as where a proton moves.
    """
    require_gfn2()
    begin = np.asarray(positions, dtype=np.float64) / BOHR
    try:
        surface = _Surface(mol, begin)
        # Several threads would get into the way of other processes, and their number into the result.
        with threadpool_limits(1):
            start, _ = surface(begin.ravel())
            found = optimize.minimize(
                surface,
                begin.ravel(),
                method="L-BFGS-B",
                jac=True,
                options={"gtol": _GRADIENT, "maxiter": _STEPS},
            )
    except RuntimeError as error:  # of tblite, for instance where the charges do not converge
        raise _failure(error) from error
    relaxed = found.x.reshape(-1, 3) * BOHR
    require_connectivity(mol, relaxed)
    return Relaxed(relaxed, float(found.fun) * HARTREE, start * HARTREE)


def _failure(error: RuntimeError) -> RowError:
    return RowError(f"GFN2-xTB failed: {str(error).strip().splitlines()[0]}", "gfn2_failed")


class _Surface:
    """Energy of a molecule by positions, each computed from the wave function of the one before."""

    def __init__(self, mol: Chem.Mol, begin: Float[np.ndarray, "n 3"]) -> None:
        from tblite.interface import Calculator

        self._calculator = Calculator(
            "GFN2-xTB",
            np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()]),
            begin,
            charge=float(Chem.GetFormalCharge(mol)),
            uhf=sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()),
        )
        self._calculator.set("verbosity", 0)
        self._last: Any = None

    def __call__(self, flat: Float[np.ndarray, " n3"]) -> tuple[float, Float[np.ndarray, " n3"]]:
        """Energy in hartree, and gradient in hartree per bohr."""
        self._calculator.update(positions=flat.reshape(-1, 3))
        try:
            self._last = self._calculator.singlepoint(self._last)
        except RuntimeError:
            # The other wave function may have led astray.
            if self._last is None:
                raise
            self._last = self._calculator.singlepoint()
        return float(self._last.get("energy")), np.array(self._last.get("gradient")).ravel()
