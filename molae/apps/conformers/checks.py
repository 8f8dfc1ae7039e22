"""Further judgement of single conformers: PoseBusters, and the strain that GFN2-xTB finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from molae.chem.gfn2 import relax_gfn2, require_gfn2
from molae.chem.heavy import rmsd_matrix
from molae.chem.isomers import with_positions
from molae.errors import ConfigError, RowError


@dataclass(frozen=True)
class Checked:
    """What was found of one conformer.

    Attributes:
        valid: Whether it passes every test of PoseBusters for single molecules; None if not asked.
        strain: Energy that relaxation by GFN2-xTB releases, in kcal/mol; None if not asked or it failed.
        moved: Heavy-atom RMSD of that, in Å; likewise.
        strain_failure: Kind of the reason why relaxation failed, or None.
    """

    valid: bool | None = None
    strain: float | None = None
    moved: float | None = None
    strain_failure: str | None = None


def require_checks(posebusters: bool, strain: bool) -> None:
    """Checks that what is needed is installed.

    Raises:
        ConfigError: If not.
    """
    if posebusters and find_spec("posebusters") is None:
        raise ConfigError("PoseBusters is not installed: pip install 'molae[conformers]'")
    if strain:
        require_gfn2()


def check_sample(mol: Chem.Mol, posebusters: bool, strain: bool) -> Checked:
    """Checks a conformer.

    Args:
        mol: Molecule with all hydrogens as atoms and one conformer, in Å.
        posebusters: Whether PoseBusters judges it (Buttenschoen 2024, doi:10.1039/D3SC04185A).
        strain: Whether it is relaxed by GFN2-xTB.
    Returns:
        What was found.
    """
    valid = _passes(mol) if posebusters else None
    if not strain:
        return Checked(valid)
    try:
        relaxed = relax_gfn2(mol, mol.GetConformer().GetPositions())
        moved = rmsd_matrix([mol], [with_positions(mol, relaxed.positions[None])])[0, 0]
    except RowError as error:
        return Checked(valid, strain_failure=error.kind)
    return Checked(valid, relaxed.start - relaxed.energy, float(moved))


def summarise_checks(checked: Sequence[Checked]) -> dict[str, Any]:
    """Gathers what was found of several conformers.

    Returns:
        `checked`, their number; with PoseBusters `posebusters_rate`, the share that passes; with GFN2-xTB
        mean and median of `strain` (kcal/mol) and `moved` (Å), and `strain_failed`.
    """
    found: dict[str, Any] = {"checked": len(checked)}
    valid = [each.valid for each in checked if each.valid is not None]
    if valid:
        found["posebusters_rate"] = float(np.mean(valid))
    for name in ("strain", "moved"):
        values = [value for each in checked if (value := getattr(each, name)) is not None]
        if values:
            found |= {f"{name}_mean": float(np.mean(values)), f"{name}_median": float(np.median(values))}
    failed = sum(each.strain_failure is not None for each in checked)
    return found | {"strain_failed": failed} if failed else found


def _passes(mol: Chem.Mol) -> bool:
    with BlockLogs():
        return bool(_posebusters().bust([mol]).to_numpy().all())


@lru_cache(maxsize=1)
def _posebusters() -> Any:
    from posebusters import PoseBusters

    return PoseBusters(config="mol")
