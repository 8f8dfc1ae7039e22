"""Ensembles by ETKDGv3: as many conformers as are asked for, not only distinct ones."""

from __future__ import annotations

import math
from time import monotonic

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.rdBase import BlockLogs

from molae.chem.conformers import ATTEMPTS, EXCEEDED_TIMEOUT, TIMEOUT, etkdg_parameters
from molae.chem.isomers import keep_configurations
from molae.errors import RowError

# Conformers made before the clock is looked at again.
_AT_ONCE = 10


def sample_etkdg(
    mol: Chem.Mol, n: int, seed: int = 0, time_limit: float | None = None
) -> Float[np.ndarray, "s n 3"]:
    """Embeds a molecule by ETKDGv3 (Wang 2020, doi:10.1021/acs.jcim.0c00025), without relaxation.

    What does not embed is tried again from random coordinates, then by bare distance geometry, as in
    `molae.chem.conformers`; conformers of the wrong isomer are left out.

    Args:
        mol: Molecule as `prepare` leaves it with all hydrogens as atoms; a conformer that it has is ignored.
        n: Number of conformers.
        seed: Seed of the embedding.
        time_limit: Seconds after which no further conformers are begun, None for no limit.
    Returns:
        Positions in Å; fewer than `n` if some failed or time ran out.
    Raises:
        RowError: `embed_failed`, `embed_timeout` or `stereo_mismatch`, if there is not one conformer.
    """
    end = None if time_limit is None else monotonic() + time_limit
    found: list[Float[np.ndarray, "n 3"]] = []
    reason = RowError("no 3D conformer: the geometry cannot be built", "embed_failed")
    for tries, settings in ATTEMPTS:
        made, failure = _attempt(mol, n - len(found), tries, seed, end, settings)
        found += made
        reason = failure or reason
        hopeless = failure is not None and failure.kind == "embed_timeout" and "useRandomCoords" in settings
        if len(found) == n or hopeless or (end is not None and monotonic() > end):
            break
    if not found:
        raise reason
    return np.array(found)


def _attempt(
    mol: Chem.Mol, n: int, tries: int, seed: int, end: float | None, settings: dict[str, int]
) -> tuple[list[Float[np.ndarray, "n 3"]], RowError | None]:
    """Embeds up to `n` conformers of the right isomer, with the reason if some are missing for one."""
    found: list[Float[np.ndarray, "n 3"]] = []
    failure: RowError | None = None
    for start in range(0, tries * n, _AT_ONCE):
        left = TIMEOUT if end is None else math.ceil(end - monotonic())
        if left <= 0:
            return found, RowError("no 3D conformer within the time limit", "embed_timeout")
        parameters = etkdg_parameters(seed, min(TIMEOUT, left), **settings)
        parameters.randomSeed += start
        positions = _embed(mol, min(_AT_ONCE, tries * n - start), parameters)
        if not len(positions) and parameters.GetFailureCounts()[EXCEEDED_TIMEOUT]:
            return found, RowError(f"no 3D conformer within {parameters.timeout} s", "embed_timeout")
        right = keep_configurations(mol, positions)
        if len(positions) and not right.all():
            failure = RowError("every embedded geometry is another stereoisomer", "stereo_mismatch")
        found += list(positions[right])
        if len(found) >= n:
            return found[:n], None
    return found, failure


def _embed(mol: Chem.Mol, n: int, parameters: rdDistGeom.EmbedParameters) -> Float[np.ndarray, "s n 3"]:
    full = Chem.Mol(mol)
    try:
        with BlockLogs():
            # The identifier of a conformer that failed is -1.
            places = [place for place in rdDistGeom.EmbedMultipleConfs(full, n, parameters) if place >= 0]
    except (RuntimeError, ValueError) as error:
        raise RowError(f"no 3D conformer: {error}", "embed_failed") from error
    positions = [full.GetConformer(place).GetPositions() for place in places]
    return np.array(positions).reshape(len(positions), mol.GetNumAtoms(), 3)
