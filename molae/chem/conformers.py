"""3D conformers for molecules that come without: the same ones for every spelling of a molecule."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers
from rdkit.rdBase import BlockLogs

from molae.chem.automorphisms import isomorphisms
from molae.chem.rmsd import rmsd_superposed
from molae.chem.stereo import assign_stereo_from_positions
from molae.errors import RowError

TIMEOUT = 30
# Tries from the metric matrix before random coordinates, which large molecules need.
METRIC_TRIES = 50
RELAXATION_STEPS = 1000
# Conformers nearer than this to one another are one minimum, in Å.
DISTINCT_RMSD = 0.125
# Spellings whose canonical SMILES changes when it is read again settle within two or three rounds.
MAX_ROUNDS = 10
_EXCEEDED_TIMEOUT = int(rdDistGeom.EmbedFailureCauses.EXCEEDED_TIMEOUT)


def embed_conformer(mol: Chem.Mol, seed: int = 0, timeout: int = TIMEOUT, relax: bool = True) -> Chem.Mol:
    """Gives a molecule one 3D conformer, the same whatever its atom order.

    ETKDGv3 (Wang 2020, doi:10.1021/acs.jcim.0c00025) on the molecule read back from its canonical SMILES,
    then MMFF94s, or UFF where MMFF94s lacks parameters, or neither where both do. Where the stereo was left
    open, the seed decides.

    Args:
        mol: Molecule as `prepare` leaves it; a conformer that it has is ignored.
        seed: Seed of the embedding.
        timeout: Most seconds for each of the two attempts, the second from random coordinates.
        relax: Whether to relax the embedded geometry.
    Returns:
        A copy with one conformer in Å and the stereo of it; atoms in the same order, hydrogens that define a
        double bond whose geometry was open behind them.
    Raises:
        RowError: `embed_failed`, `embed_timeout`, or `stereo_mismatch` where the geometry is another isomer.
    """
    return embed_conformers(mol, 1, seed, timeout, relax)[0]


def embed_conformers(
    mol: Chem.Mol, n: int, seed: int = 0, timeout: int = TIMEOUT, relax: bool = True
) -> list[Chem.Mol]:
    """Gives a molecule up to `n` distinct 3D conformers, as `embed_conformer` gives one.

    Args:
        mol: Molecule as `prepare` leaves it.
        n: Number of conformers to try.
        seed: Seed of the embedding.
        timeout: Most seconds for each of the two attempts.
        relax: Whether to relax the embedded geometries.
    Returns:
        One molecule for each conformer that is more than 0.125 Å of heavy-atom RMSD from those before it.
        Conformers of the wrong isomer are left out.
    Raises:
        RowError: As `embed_conformer`, if no conformer is left.
    """
    canonical, order = _canonical(mol)
    with BlockLogs():
        full = _embed(Chem.AddHs(canonical), n, seed, timeout)
        if relax:
            _relax(full)
    found = [_with_conformer(full, conformer.GetId()) for conformer in full.GetConformers()]
    right = [each for each in found if each.HasSubstructMatch(canonical, useChirality=True)]
    if not right:
        raise RowError("the embedded geometry is another stereoisomer than the input", "stereo_mismatch")
    return [_renumbered(each, order) for each in _distinct(right)]


def _canonical(mol: Chem.Mol) -> tuple[Chem.Mol, Int[np.ndarray, "n"]]:
    """Reads the molecule back from its canonical SMILES; `order[i]` is the atom of `mol` that is now atom i.

    Some canonical SMILES change when they are read and written again, hence the loop to a SMILES that
    all spellings end in.
    """
    reader = Chem.SmilesParserParams()
    reader.removeHs = False  # type: ignore[assignment]  # RDKit's stub is wrong
    order = np.arange(mol.GetNumAtoms())
    seen: dict[str, tuple[Chem.Mol, Int[np.ndarray, "n"]]] = {}
    for _ in range(MAX_ROUNDS):
        smiles = Chem.MolToSmiles(mol)
        if smiles in seen:
            break
        written = mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"]
        mol, order = Chem.MolFromSmiles(smiles, reader), order[list(written)]
        seen[smiles] = mol, order
    # The SMILES that reads back as itself, or one of a cycle.
    return seen[smiles]


def _embed(full: Chem.Mol, n: int, seed: int, timeout: int) -> Chem.Mol:
    for random_coordinates in (False, True):
        parameters = _parameters(
            randomSeed=seed,
            timeout=timeout,
            trackFailures=True,
            useRandomCoords=random_coordinates,
            maxIterations=0 if random_coordinates else METRIC_TRIES,
        )
        try:
            found = rdDistGeom.EmbedMultipleConfs(full, n, parameters)
        except (RuntimeError, ValueError) as error:
            raise RowError(f"no 3D conformer: {error}", "embed_failed") from error
        if len(found):
            return full
    if parameters.GetFailureCounts()[_EXCEEDED_TIMEOUT]:
        raise RowError(f"no 3D conformer within {timeout} s", "embed_timeout")
    raise RowError("no 3D conformer: the geometry cannot be built", "embed_failed")


def _parameters(**values: int) -> rdDistGeom.EmbedParameters:
    parameters = rdDistGeom.ETKDGv3()
    for name, value in values.items():
        setattr(parameters, name, value)
    return parameters


def _relax(full: Chem.Mol) -> None:
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(full):
        rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(full, maxIters=RELAXATION_STEPS, mmffVariant="MMFF94s")
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(full):
        rdForceFieldHelpers.UFFOptimizeMoleculeConfs(full, maxIters=RELAXATION_STEPS)


def _with_conformer(full: Chem.Mol, conformer: int) -> Chem.Mol:
    """One conformer, with its stereo, hydrogens implicit as `prepare` leaves them."""
    mol = Chem.Mol(full, confId=conformer)
    mol.GetConformer().SetId(0)
    return Chem.RemoveHs(assign_stereo_from_positions(mol))


def _distinct(mols: list[Chem.Mol]) -> list[Chem.Mol]:
    kept: list[Chem.Mol] = []
    for mol in mols:
        if all(_distance(mol, other) > DISTINCT_RMSD for other in kept):
            kept.append(mol)
    return kept


def _distance(mol: Chem.Mol, other: Chem.Mol) -> float:
    """Least RMSD after superposition, in Å; infinite between isomers that differ in the hydrogens kept."""
    orders = isomorphisms(mol, other)
    if not len(orders):
        return float("inf")
    return rmsd_superposed(other.GetConformer().GetPositions(), mol.GetConformer().GetPositions(), orders)


def _renumbered(mol: Chem.Mol, order: Int[np.ndarray, "n"]) -> Chem.Mol:
    """Back to the input's atom order, hydrogens that were added behind the others."""
    added = np.arange(len(order), mol.GetNumAtoms())
    return Chem.RenumberAtoms(mol, np.concatenate([np.argsort(order), added]).tolist())
