"""Ensembles to packed data sets, for models of conformers to be trained on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float

from molae.apps.pack import PACKED_SUFFIX
from molae.apps.rows import Progress, Summary, no_progress
from molae.apps.workers import Workers
from molae.batch.skeletons import (
    LEVELS,
    MAX_HEAVY_ATOMS,
    MAX_TORSIONS,
    SkeletonDataset,
    SkeletonRecord,
    SkeletonSchema,
)
from molae.chem.etkdg import sample_etkdg
from molae.chem.matching import Match, match_starts
from molae.chem.skeleton import SKELETON_BONDS, SKELETON_CHANNELS, Skeleton, skeleton
from molae.errors import ConfigError, DataError, LeftOut, RowError
from molae.io import atomic_path
from molae.io.ensembles import UNIT, StoredEnsemble, read_ensembles, read_explicit_smiles

STARTS = 4
"""Embeddings of a molecule, which its conformers are turned into."""

# A conformer so much higher in energy, in kcal/mol, has e times less weight in its ensemble. Of minima by a
# force field, of which there are plenty, the lowest are most like what the flow is to lead to.
_ENERGY_SCALE = {"dft": 2.0, "gfn2": 2.0, "mmff": 2 / 3, "experiment": 2.0}
# Levels by the methods that `molae prepare` names.
_METHODS = {"MMFF94s": "mmff", "UFF": "mmff", "GFN2-xTB": "gfn2"}
# Molecules of a chunk.
_CHUNK_SIZE = 64
# Most seconds for the starts of a molecule.
_TIME_LIMIT = 30.0


def skeleton_schema() -> SkeletonSchema:
    """What molecules with conformers carry."""
    return SkeletonSchema(node_channels=SKELETON_CHANNELS, edge_types=SKELETON_BONDS)


def pack_ensembles(
    path: str | Path,
    output: str | Path,
    level: str | None = None,
    starts: int = STARTS,
    *,
    seed: int = 0,
    num_workers: int = 0,
    progress: Progress = no_progress,
) -> Summary:
    """Packs ensembles for training; molecules that cannot be used, or in which no bond turns, are counted.

    Args:
        path: Parquet file that `molae prepare` wrote.
        output: Path of the packed data set, `.safetensors`; nothing is written if no molecule can be used.
        level: Level of theory, one of `molae.batch.skeletons.LEVELS`; None for what the file says, which
            conformers that were given to `molae prepare` do not.
        starts: ETKDGv3 embeddings of each molecule.
        seed: Seed of those.
        num_workers: Processes beside this one.
        progress: Told after every few molecules.
    Returns:
        The counts.
    Raises:
        DataError: If the file holds no ensembles.
        DataError: If the output is no `.safetensors`.
        ConfigError: If the level is unknown, or a number out of range.
    """
    if level is not None and level not in LEVELS:
        raise ConfigError(f"level: expected one of {', '.join(LEVELS)}, got {level!r}")
    if starts < 1:
        raise ConfigError(f"starts: expected at least 1, got {starts}")
    target = Path(output)
    if target.suffix != PACKED_SUFFIX:
        raise DataError(f"cannot write {output}: a packed data set is {PACKED_SUFFIX}")
    summary, records = Summary(), []
    make = partial(_try_record, level=level, starts=starts, seed=seed)
    with Workers(make, num_workers) as workers:
        ensembles = read_ensembles(path)
        chunks = ((None, chunk) for chunk in iter(lambda: list(islice(ensembles, _CHUNK_SIZE)), []))
        for _, made in workers.map_chunks(chunks, lambda count: progress(count, None)):
            summary.count([], [each if isinstance(each, RowError) else None for each in made])
            records += [each for each in made if not isinstance(each, RowError)]
    if records:
        with atomic_path(target) as temporary:
            SkeletonDataset(records, skeleton_schema()).save(temporary)
    return summary


def require_fitting(found: Skeleton) -> None:
    """Checks that a model of conformers takes a molecule.

    Raises:
        RowError: `too_large`, if it has too many heavy atoms or bonds that turn.
    """
    for name, size, most in (
        ("heavy atoms", len(found), MAX_HEAVY_ATOMS),
        ("bonds that turn", len(found.bonds), MAX_TORSIONS),
    ):
        if size > most:
            raise RowError(f"{size} {name}, the model takes {most}", "too_large")


def make_record(
    found: Skeleton,
    level: str,
    starts: Float[np.ndarray, "s a 3"],
    positions: Float[np.ndarray, "c a 3"] | None = None,
    match: Match | None = None,
) -> SkeletonRecord:
    """Puts a molecule into arrays.

    Args:
        found: Its skeleton.
        level: Level of theory of its conformers, or of those that are wanted.
        starts: Positions of all atoms to start from, in Å.
        positions: Positions of all atoms of the conformers, in Å, or None where there are none.
        match: The conformers as turned starts, likewise.
    Returns:
        The arrays, all conformers of the same weight; all positions are centred.
    """
    heavy = starts[:, found.heavy]
    t, s = len(found.bonds), len(starts)
    read = np.zeros((0, s, len(found), 3))
    if positions is not None and match is not None:
        read = np.take_along_axis(positions[:, None], match.orders[..., None], axis=2)[:, :, found.heavy]
    return SkeletonRecord(
        nodes=found.nodes,
        edges=found.edges,
        hops=found.hops,
        bonds=found.bonds,
        moved=found.moved,
        fold=found.torsions.fold,
        level=LEVELS.index(level),
        starts=heavy - heavy.mean(axis=1, keepdims=True),
        turns=np.zeros((0, s, t)) if match is None else match.turns,
        fit=np.zeros((0, s)) if match is None else match.fit,
        positions=read - read.mean(axis=2, keepdims=True),
        weights=np.full(0 if match is None else len(match.fit), 1.0),
    )


def _try_record(
    ensemble: StoredEnsemble, level: str | None, starts: int, seed: int
) -> SkeletonRecord | RowError:
    try:
        return _record(ensemble, level, starts, seed)
    except RowError as error:
        return error


def _record(ensemble: StoredEnsemble, level: str | None, starts: int, seed: int) -> SkeletonRecord:
    level = level or _METHODS.get(ensemble.level)
    if level is None:
        raise RowError(f"a level of theory that is not known, {ensemble.level!r}: give one", "level")
    mol = read_explicit_smiles(ensemble.smiles)
    found = skeleton(mol)
    require_fitting(found)
    if not len(found.bonds):
        raise LeftOut("no bond turns", "rigid")
    made = sample_etkdg(mol, starts, seed, _TIME_LIMIT, hydrogens=False)
    positions = ensemble.positions * UNIT
    match = match_starts(mol, found.torsions, made, positions)
    weights = np.ones(len(match.fit))
    if ensemble.energies is not None:
        weights = np.exp(-(ensemble.energies - ensemble.energies.min()) / _ENERGY_SCALE[level])
    record = make_record(found, level, made, positions, match)
    return replace(record, weights=weights / weights.sum(), row=ensemble.row)
