"""Ensembles by ETKDGv3: as many conformers as are asked for, not only distinct ones."""

from __future__ import annotations

import math
from time import monotonic

import numpy as np
from jaxtyping import Float, Int
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.rdBase import BlockLogs

from molae.chem.conformers import ATTEMPTS, EXCEEDED_TIMEOUT, TIMEOUT, etkdg_parameters
from molae.chem.isomers import keep_configurations
from molae.errors import RowError

# Conformers made before the clock is looked at again.
_AT_ONCE = 10
# Property of an atom that holds its number.
_NUMBER = "_molae_number"


def sample_etkdg(
    mol: Chem.Mol, n: int, seed: int = 0, time_limit: float | None = None, *, hydrogens: bool = True
) -> Float[np.ndarray, "s n 3"]:
    """Embeds a molecule by ETKDGv3 (Wang 2020, doi:10.1021/acs.jcim.0c00025), without relaxation.

    What does not embed is tried again from random coordinates, then by bare distance geometry, as in
    `molae.chem.conformers`; conformers of the wrong isomer are left out.

    Args:
        mol: Molecule as `prepare` leaves it with all hydrogens as atoms; a conformer that it has is ignored.
        n: Number of conformers.
        seed: Seed of the embedding.
        time_limit: Seconds after which no further conformers are begun, None for no limit.
        hydrogens: Whether hydrogens are embedded too. Else each is put where its neighbours leave room,
            which takes a quarter of the time, and leaves the heavy atoms as good.
    Returns:
        Positions in Å, hydrogens too; fewer than `n` if some failed or time ran out.
    Raises:
        RowError: `embed_failed`, `embed_timeout` or `stereo_mismatch`, if there is not one conformer.
    """
    end = None if time_limit is None else monotonic() + time_limit
    found: list[Float[np.ndarray, "n 3"]] = []
    reason = RowError("no 3D conformer: the geometry cannot be built", "embed_failed")
    for tries, settings in ATTEMPTS:
        made, failure = _attempt(mol, n - len(found), tries, seed, end, settings, hydrogens)
        found += made
        reason = failure or reason
        hopeless = failure is not None and failure.kind == "embed_timeout" and "useRandomCoords" in settings
        if len(found) == n or hopeless or (end is not None and monotonic() > end):
            break
    if not found:
        raise reason
    return np.array(found)


def _attempt(
    mol: Chem.Mol,
    n: int,
    tries: int,
    seed: int,
    end: float | None,
    settings: dict[str, int],
    hydrogens: bool,
) -> tuple[list[Float[np.ndarray, "n 3"]], RowError | None]:
    """Embeds up to `n` conformers of the right isomer, with the reason if some are missing for one."""
    found: list[Float[np.ndarray, "n 3"]] = []
    failure: RowError | None = None
    for start in range(0, tries * n, _AT_ONCE):
        left = TIMEOUT if end is None else math.ceil(end - monotonic())
        if left <= 0:
            return found, RowError("no 3D conformer within the time limit", "embed_timeout")
        parameters = etkdg_parameters(seed, min(TIMEOUT, left), **settings)
        parameters.randomSeed = (parameters.randomSeed + start) % 2**31
        positions = _embed(mol, min(_AT_ONCE, tries * n - start), parameters, hydrogens)
        if not len(positions) and parameters.GetFailureCounts()[EXCEEDED_TIMEOUT]:
            return found, RowError(f"no 3D conformer within {parameters.timeout} s", "embed_timeout")
        right = keep_configurations(mol, positions)
        if len(positions) and not right.all():
            failure = RowError("every embedded geometry is another stereoisomer", "stereo_mismatch")
        found += list(positions[right])
        if len(found) >= n:
            return found[:n], None
    return found, failure


def _embed(
    mol: Chem.Mol, n: int, parameters: rdDistGeom.EmbedParameters, hydrogens: bool
) -> Float[np.ndarray, "s n 3"]:
    try:
        with BlockLogs():
            return _positions(mol, n, parameters) if hydrogens else _heavy_positions(mol, n, parameters)
    except (RuntimeError, ValueError) as error:
        raise RowError(f"no 3D conformer: {error}", "embed_failed") from error


def _positions(mol: Chem.Mol, n: int, parameters: rdDistGeom.EmbedParameters) -> Float[np.ndarray, "s n 3"]:
    full = Chem.Mol(mol)
    rdDistGeom.EmbedMultipleConfs(full, n, parameters)
    return _all_positions(full)


def _heavy_positions(
    mol: Chem.Mol, n: int, parameters: rdDistGeom.EmbedParameters
) -> Float[np.ndarray, "s n 3"]:
    """Embeds what is left when hydrogens are removed, and puts these back."""
    numbered = Chem.Mol(mol)
    for atom in numbered.GetAtoms():
        atom.SetIntProp(_NUMBER, atom.GetIdx())
    bare = Chem.RemoveHs(numbered)
    rdDistGeom.EmbedMultipleConfs(bare, n, parameters)
    full = Chem.AddHs(bare, addCoords=True)
    return _all_positions(full)[:, _order(full, mol)]


def _order(full: Chem.Mol, mol: Chem.Mol) -> Int[np.ndarray, " n"]:
    """Which atom of `full`, where some hydrogens have no number, is each atom of `mol`."""
    place = {atom.GetIntProp(_NUMBER): atom.GetIdx() for atom in full.GetAtoms() if atom.HasProp(_NUMBER)}
    for number, there in list(place.items()):
        added = [
            other.GetIdx()
            for other in full.GetAtomWithIdx(there).GetNeighbors()
            if not other.HasProp(_NUMBER)
        ]
        removed = [other.GetIdx() for other in mol.GetAtomWithIdx(number).GetNeighbors()]
        place.update(zip((other for other in removed if other not in place), added, strict=True))
    return np.array([place[number] for number in range(mol.GetNumAtoms())], dtype=np.int64)


def _all_positions(mol: Chem.Mol) -> Float[np.ndarray, "s n 3"]:
    positions = [conformer.GetPositions() for conformer in mol.GetConformers()]
    return np.array(positions).reshape(len(positions), mol.GetNumAtoms(), 3)
