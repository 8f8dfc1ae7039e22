"""Ensembles of low-energy conformers: made by force field or GFN2-xTB, or taken from references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.apps.conformers.generator import ETKDG, open_generator
from molae.apps.conformers.isomers import sample_isomers
from molae.apps.conformers.sampled import (
    SAME_MINIMUM,
    Request,
    Sampled,
    lowest_by_gfn2,
    relax_sampled,
)
from molae.apps.molecules import Source
from molae.chem.connectivity import require_connectivity
from molae.chem.gfn2 import require_gfn2
from molae.chem.heavy import distinct
from molae.chem.isomers import keep_configurations, with_positions
from molae.chem.parse import prepare
from molae.errors import ConfigError, RowError
from molae.io.ensembles import StoredEnsemble, read_explicit_smiles, to_fixed_point, write_explicit_smiles

Level = Literal["mmff", "gfn2", "given"]


@dataclass(frozen=True)
class Recipe:
    """How ensembles are made.

    Attributes:
        level: `mmff`, conformers relaxed by MMFF94s (UFF where it lacks parameters); `gfn2`, the lowest of
            those relaxed by GFN2-xTB; `given`, the conformers of the input as they are.
        model: What makes the conformers that are relaxed (see
            `molae.apps.conformers.generator.open_generator`).
        n: Conformers of a molecule that are relaxed.
        most: Most conformers that are kept, and relaxed by GFN2-xTB; None for all.
        window: Highest energy above the lowest, in kcal/mol; None for any.
        prune_rmsd: Least symmetry-aware heavy-atom RMSD between two conformers, in Å; None for no pruning.
        seed: Seed of the conformers, and of the isomer where stereo is open.
        time_limit: Seconds for a molecule; one that takes longer fails. None for no limit.
    """

    level: Level = "mmff"
    model: str = ETKDG
    n: int = 30
    most: int | None = 10
    window: float | None = 10.0
    prune_rmsd: float | None = 0.3
    seed: int = 0
    time_limit: float | None = 600.0


def default_recipe(level: Level, model: str = ETKDG, **settings: float | None) -> Recipe:
    """A recipe whose settings, where they are None, are those that suit the level.

    Conformers that are given are all kept, unless a setting says otherwise. GFN2-xTB counts conformers as
    different from 0.125 Å on, MMFF94s from 0.3 Å.

    Args:
        level: The level.
        model: What makes the conformers.
        settings: Other settings by name.
    Returns:
        The recipe.
    Raises:
        CheckpointError: If there is no such model, or it is damaged.
        ConfigError: If a setting is out of range, the level unknown or not installed, or the model of another
            kind.
    """
    if level not in get_args(Level):
        raise ConfigError(f"level: expected one of {', '.join(get_args(Level))}, got {level!r}")
    base = Recipe(level, model, prune_rmsd=SAME_MINIMUM.get(level))
    if level == "given":
        base = replace(base, most=None, window=None)
    for name, value in settings.items():
        if value is not None and not value > 0 and name != "seed":
            raise ConfigError(f"{name}: expected a number above 0, got {value}")
    if level == "gfn2":
        require_gfn2()
    if level != "given":
        open_generator(model)
    given = {name: value for name, value in settings.items() if value is not None}
    return replace(base, **given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Made:
    """An ensemble, and notes for the user."""

    ensemble: StoredEnsemble
    notes: tuple[str, ...]


def make_ensemble(source: Source, recipe: Recipe) -> Made:
    """Makes the ensemble of a molecule.

    Args:
        source: The molecule; positions serve to tell its stereo alone.
        recipe: How.
    Returns:
        The ensemble, at least one conformer.
    Raises:
        RowError: Why there is none; `time_limit`, if it took too long, `no_parameters`, if neither MMFF94s
            nor UFF knows the atoms.
    """
    end = None if recipe.time_limit is None else monotonic() + recipe.time_limit
    try:
        made = _make(source, recipe, end)
    except RowError:
        # What failed may have failed for want of time.
        _require_time(recipe, end)
        raise
    # Never what there was time for: that would differ from run to run.
    _require_time(recipe, end)
    return made


def _make(source: Source, recipe: Recipe, end: float | None) -> Made:
    request = Request(recipe.n, recipe.seed, "mmff", time_limit=recipe.time_limit)
    isomer = sample_isomers(source, open_generator(recipe.model, recipe.time_limit), request)[0]
    _require_time(recipe, end)
    mol, sampled = isomer.mol, isomer.sampled
    if recipe.level == "gfn2":
        starts = _pick(mol, sampled, SAME_MINIMUM["mmff"], replace(recipe, most=None))
        sampled = relax_sampled(mol, lowest_by_gfn2(mol, starts, recipe.most, end), "gfn2", end)
    if sampled.method is None:
        raise RowError("neither MMFF94s nor UFF has parameters for it", "no_parameters")
    kept = _pick(mol, sampled, recipe.prune_rmsd, recipe)
    ensemble = _store(mol, kept.positions, kept.energies, sampled.method)
    return Made(replace(ensemble, seed=recipe.seed), isomer.notes)


def convert_ensemble(conformers: Sequence[Chem.Mol], energies: Sequence[float], recipe: Recipe) -> Made:
    """Makes an ensemble of conformers that are there.

    Args:
        conformers: The molecule with one conformer each, in Å; the isomer is that of the first.
        energies: Energy of each in kcal/mol, NaN where unknown.
        recipe: What of them is kept.
    Returns:
        The ensemble; by energy if all are known, else in the order given, without energies.
    Raises:
        RowError: If not one conformer is the molecule that its bonds say.
    """
    first = prepare(conformers[0], hydrogens=True)
    mol = first.mol
    places, positions = [], []
    failure = RowError("not one conformer is the isomer of the first", "stereo_mismatch")
    for place, conformer in enumerate(conformers):
        try:
            found = _in_order(mol, prepare(conformer, hydrogens=True).mol)
            require_connectivity(mol, found)
        except RowError as error:
            failure = error
            continue
        places.append(place)
        positions.append(found)
    if not places:
        raise failure
    method = "given"
    sampled = Sampled(np.array(positions), (method,) * len(places), np.array(energies)[places], method)
    sampled = sampled.take(np.flatnonzero(keep_configurations(mol, sampled.positions)).tolist())
    lost = len(conformers) - len(sampled.positions)
    notes = first.notes
    if lost:
        notes += (f"conformers left out that are another molecule or isomer: {lost}",)
    if np.isfinite(sampled.energies).all():
        sampled = sampled.take(np.argsort(sampled.energies, kind="stable").tolist())
    sampled = _pick(mol, sampled, recipe.prune_rmsd, recipe)
    return Made(_store(mol, sampled.positions, sampled.energies, method), notes)


def _pick(mol: Chem.Mol, sampled: Sampled, prune_rmsd: float | None, recipe: Recipe) -> Sampled:
    """The lowest that differ, of those in the window."""
    places = np.arange(len(sampled.positions))
    if recipe.window is not None:
        # Not `<=`: energies may be unknown.
        places = places[~(sampled.energies - sampled.energies.min() > recipe.window)]
    inside = sampled.take(places.tolist())
    if prune_rmsd is None:
        return inside.take(list(range(len(places)))[: recipe.most])
    posed = with_positions(mol, inside.positions)
    return inside.take(distinct(posed, prune_rmsd, most=recipe.most))


def _store(
    mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"], energies: Float[np.ndarray, " s"], level: str
) -> StoredEnsemble:
    """The ensemble as a reader gets it, of which every conformer is the molecule that the SMILES says."""
    for conformer in positions:
        require_connectivity(mol, conformer)
    smiles, order = write_explicit_smiles(mol)
    written = read_explicit_smiles(smiles)
    if not keep_configurations(written, positions[:, order]).all():
        raise RowError("a SMILES cannot say which isomer it is", "stereo_mismatch")
    known = bool(np.isfinite(energies).all())
    relative = energies - energies.min() if known else None
    return StoredEnsemble(smiles, to_fixed_point(positions[:, order]), relative, level)


def _in_order(mol: Chem.Mol, other: Chem.Mol) -> Float[np.ndarray, "n 3"]:
    """Positions of the same isomer, in the order of the atoms of `mol`."""
    positions = other.GetConformer().GetPositions()
    if not np.isfinite(positions).all():
        raise RowError("positions that are not finite numbers", "positions")
    if _graph(mol) == _graph(other):
        return positions
    match = other.GetSubstructMatch(mol, useChirality=True)
    if len(match) != other.GetNumAtoms():
        raise RowError("not the molecule of the first conformer", "other_molecule")
    return positions[list(match)]


def _graph(mol: Chem.Mol) -> tuple[list[tuple[int, int]], set[tuple[int, ...]]]:
    atoms = [(atom.GetAtomicNum(), atom.GetFormalCharge()) for atom in mol.GetAtoms()]
    ends = ((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds())
    return atoms, {tuple(sorted(pair)) for pair in ends}


def _require_time(recipe: Recipe, end: float | None) -> None:
    if end is not None and monotonic() > end:
        raise RowError(f"not done within {recipe.time_limit:g} s", "time_limit")
