"""The protocol for conformers: how samples cover reference ensembles, beside baselines in the same run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from rdkit import Chem

from molae.apps.conformers.checks import Checked, check_sample, require_checks, summarise_checks
from molae.apps.conformers.ensembles import Ensemble, Ensembles, read_references, read_samples
from molae.apps.conformers.generator import ETKDG, open_generator
from molae.apps.conformers.isomers import read_whole
from molae.apps.conformers.sampled import Relax, Request, Sampled, relax_sampled, sample_conformers
from molae.apps.molecules import as_source, from_binary
from molae.apps.rows import Progress, no_progress
from molae.apps.workers import Workers
from molae.chem.isomers import with_positions
from molae.errors import ConfigError, RowError
from molae.metrics.conformers import (
    FIGURES,
    Contrast,
    EnsembleComparison,
    Statistic,
    compare_ensembles,
    paired_bootstrap,
    summarise_ensembles,
)

RELAXED_SUFFIX = "-mmff"
"""Behind the name of a generator: each of its conformers relaxed by MMFF94s."""
LOWEST_SUFFIX = "-lowest"
"""Behind the name of a generator: the lowest that differ of four times as many, relaxed likewise."""
COMMONEST_SUFFIX = "-commonest"
"""Behind the name of a generator: the commonest that differ of four times as many, as they were made."""
BASELINES = (ETKDG, ETKDG + RELAXED_SUFFIX)

_CHUNK_SIZE = 64
_TIMES_AS_MANY = 4
# What the intervals are of; the AMRs as ratios, as the field quotes them, the shares as differences.
_COMPARED: dict[str, Contrast] = {
    "amr_recall": "ratio",
    "amr_precision": "ratio",
    "coverage_recall_0.75": "difference",
    "coverage_precision_0.75": "difference",
}


_OVER_MOLECULES = tuple(f"{name}_{statistic}" for name in FIGURES for statistic in ("mean", "median"))


@dataclass(frozen=True)
class Task:
    """A molecule as the processes get it.

    Attributes:
        name: Name of the molecule.
        smiles: Isomeric SMILES, all that a generator sees.
        references: Reference conformers in RDKit's binary form.
        samples: Samples that came in files, for each name of a method.
        posebusters: Whether PoseBusters judges the first sample of each method.
        strain: Whether that is relaxed by GFN2-xTB.
    """

    name: str
    smiles: str
    references: tuple[bytes, ...]
    samples: Mapping[str, tuple[bytes, ...]]
    posebusters: bool = False
    strain: bool = False


@dataclass(frozen=True)
class Run:
    """What one method made of one molecule with one seed.

    Attributes:
        comparison: The samples beside the references.
        seconds: Processor time of making them.
        failure: Kind of the reason why there are none, or None.
        by_etkdg: Samples that ETKDGv3 made where a model could not.
        checked: What was found of the first sample, where it was checked.
    """

    comparison: EnsembleComparison
    seconds: float = 0.0
    failure: str | None = None
    by_etkdg: int = 0
    checked: Checked | None = None


@dataclass(frozen=True)
class Protocol:
    """What is measured.

    Attributes:
        methods: Names of generators, with `-mmff`, `-lowest` or `-commonest` behind (see `RELAXED_SUFFIX`,
            `LOWEST_SUFFIX`, `COMMONEST_SUFFIX`).
        seeds: Seeds of the samples.
        per_reference: Samples for each reference.
    """

    methods: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    per_reference: int = 2


@dataclass
class _Found:
    """Runs of all molecules, by method and seed."""

    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)

    def of(self, method: str, seeds: Sequence[int]) -> list[list[Run]]:
        return [self.runs[method, seed] for seed in seeds]


def evaluate_conformers(
    references: str | Path,
    samples: Mapping[str, str | Path] | None = None,
    minima: str | Path | None = None,
    *,
    models: Sequence[str] = (),
    baselines: Sequence[str] = BASELINES,
    limit: int | None = None,
    per_reference: int = 2,
    seed: int = 0,
    seeds: int = 1,
    posebusters: int = 0,
    strain: int = 0,
    num_workers: int = 0,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measures samples of conformers against reference ensembles, and baselines in the same run.

    For a molecule with K references, 2 K samples count unless told otherwise: generators make as many, and of
    a file that has more, 2 K are drawn at random, because the first ones of a sorted file would be a choice.
    Generators get the isomeric SMILES of the references, never their coordinates.

    Args:
        references: SD file of reference conformers (see `molae.apps.conformers.ensembles.read_references`).
        samples: SD files of samples, by the name that the table shall show.
        minima: Table that gives the records' `minimum_index`, or None.
        models: Generators to measure, by name; `-mmff` behind a name for relaxed conformers.
        baselines: Generators that the others are compared with.
        limit: Most molecules, taken at even distances from the file; None for all.
        per_reference: Samples for each reference; 2 in the published protocols.
        seed: First seed of the samples, and that of the bootstrap.
        seeds: Number of seeds.
        posebusters: Molecules, at even distances, of which PoseBusters judges one sample a method.
        strain: Molecules of which that is relaxed by GFN2-xTB.
        num_workers: Further processes.
        progress: Told after every few molecules.
    Returns:
        The report, as JSON can hold it: `protocol`, `data`, `molecules`, `references`, `left_out` (records
        by kind), `samples_per_reference`, `seeds`; for each of `methods` the `figures` (see
        `molae.metrics.conformers.summarise_ensembles`; mean over the seeds, null where there is nothing to
        average), `deviation` over the seeds, `failures` by kind, `by_etkdg`, `seconds` of processor time
        and `conformers_per_second`, and `against` each baseline the paired intervals; `by_molecule`, the
        figures of each molecule.
    Raises:
        DataError: If a file cannot be used.
        ConfigError: If an option does not fit.
    """
    files = dict(samples or {})
    protocol = Protocol((*models, *baselines), tuple(range(seed, seed + seeds)), per_reference)
    _check(protocol, files)
    require_checks(posebusters > 0, strain > 0)
    read = read_references(references, minima)
    chosen = [read.molecules[place] for place in _spread(len(read.molecules), limit)]
    sampled = {name: read_samples(path, [each.name for each in chosen]) for name, path in files.items()}
    tasks = _tasks(chosen, sampled, posebusters, strain)
    names = (*files, *protocol.methods)
    found = _Found({(name, each): [] for name in names for each in protocol.seeds})
    chunks = [(None, tasks[start : start + _CHUNK_SIZE]) for start in range(0, len(tasks), _CHUNK_SIZE)]
    with Workers(partial(run_task, protocol=protocol), num_workers) as workers:
        for _, results in workers.map_chunks(chunks, lambda count: progress(count, len(tasks))):
            for result in results:
                for key, run in result.items():
                    found.runs[key].append(run)
    return {
        "protocol": "conformers",
        "data": Path(references).name,
        "molecules": len(chosen),
        "references": sum(len(each.conformers) for each in chosen),
        "left_out": dict(read.left_out),
        "samples_per_reference": protocol.per_reference,
        "seeds": list(protocol.seeds),
        "methods": {name: _report(name, found, protocol.seeds, baselines) for name in names},
        "by_molecule": [_molecule(place, each, found, names, protocol) for place, each in enumerate(chosen)],
    }


def run_task(task: Task, protocol: Protocol) -> dict[tuple[str, int], Run]:
    """Makes and compares the samples of one molecule.

    Args:
        task: The molecule.
        protocol: What is measured.
    Returns:
        A run for each method, those of files first, and seed.
    """
    references = [from_binary(each) for each in task.references]
    found: dict[tuple[str, int], Run] = {}
    for name, binaries in task.samples.items():
        for seed in protocol.seeds:
            random = np.random.default_rng(seed)
            count = min(protocol.per_reference * len(references), len(binaries))
            drawn = sorted(random.choice(len(binaries), count, replace=False).tolist()) if count else []
            mols = [from_binary(binaries[place]) for place in drawn]
            checked = _check_first(mols, task) if seed == protocol.seeds[0] else None
            found[name, seed] = _run(references, mols, checked=checked)
    for seed in protocol.seeds:
        found |= _generate(task, references, protocol, seed)
    return found


def _generate(
    task: Task, references: list[Chem.Mol], protocol: Protocol, seed: int
) -> dict[tuple[str, int], Run]:
    """Runs of the methods; what two of them share is made once, and its time counts for both."""
    found: dict[tuple[str, int], Run] = {}
    made: dict[str, tuple[Sampled, float]] = {}
    request = Request(protocol.per_reference * len(references), seed)
    for method in protocol.methods:
        try:
            mol, _ = read_whole(as_source(task.smiles))
            sampled, seconds = _sample(mol, method, request, made)
        except RowError as error:
            found[method, seed] = Run(compare_ensembles(references, []), failure=error.kind)
            continue
        mols = [with_positions(mol, positions[None]) for positions in sampled.positions]
        by_etkdg = sum(each.startswith(f"{ETKDG}:") for each in sampled.made_by)
        checked = _check_first(mols, task) if seed == protocol.seeds[0] else None
        found[method, seed] = _run(references, mols, seconds, by_etkdg, checked)
    return found


def _sample(
    mol: Chem.Mol, method: str, request: Request, made: dict[str, tuple[Sampled, float]]
) -> tuple[Sampled, float]:
    """What a method makes, and the seconds that it takes; what was `made` before is taken from there."""
    name = _generator_of(method)
    start = process_time()
    if method in (name + LOWEST_SUFFIX, name + COMMONEST_SUFFIX):
        relax: Relax = "mmff" if method.endswith(LOWEST_SUFFIX) else "none"
        request = replace(request, relax=relax, of=_TIMES_AS_MANY * request.n)
        return sample_conformers(mol, open_generator(name), request), process_time() - start
    if name not in made:
        made[name] = sample_conformers(mol, open_generator(name), request), process_time() - start
    if method == name:
        return made[name]
    sampled, seconds = made[name]
    start = process_time()
    return relax_sampled(mol, sampled, "mmff"), seconds + process_time() - start


def _generator_of(method: str) -> str:
    for suffix in (RELAXED_SUFFIX, LOWEST_SUFFIX, COMMONEST_SUFFIX):
        method = method.removesuffix(suffix)
    return method


def _run(
    references: list[Chem.Mol],
    mols: list[Chem.Mol],
    seconds: float = 0.0,
    by_etkdg: int = 0,
    checked: Checked | None = None,
) -> Run:
    try:
        comparison = compare_ensembles(references, mols)
    except RowError as error:
        return Run(compare_ensembles(references, []), seconds, error.kind)
    failure = None if mols else "missing"
    return Run(comparison, seconds, failure, by_etkdg, checked)


def _check_first(mols: list[Chem.Mol], task: Task) -> Checked | None:
    wanted = bool(mols) and (task.posebusters or task.strain)
    return check_sample(mols[0], task.posebusters, task.strain) if wanted else None


def _check(protocol: Protocol, files: Mapping[str, str | Path]) -> None:
    names = [*files, *protocol.methods]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ConfigError(f"two methods are called {repeated[0]!r}: give each another name")
    if not names:
        raise ConfigError("nothing to measure: give samples, a model, or baselines")
    for method in protocol.methods:
        open_generator(_generator_of(method))


def _spread(count: int, limit: int | None) -> list[int]:
    """Places at even distances, all where there is no limit."""
    if limit is None or limit >= count:
        return list(range(count))
    return np.linspace(0, count - 1, limit).round().astype(int).tolist()


def _tasks(
    chosen: Sequence[Ensemble], sampled: Mapping[str, Ensembles], posebusters: int, strain: int
) -> list[Task]:
    of_file = {name: {each.name: each for each in read.molecules} for name, read in sampled.items()}
    judged, relaxed = (set(_spread(len(chosen), count)) for count in (posebusters, strain))
    return [
        Task(
            each.name,
            each.smiles,
            _binaries(each.conformers),
            {
                name: _binaries(found[each.name].conformers) if each.name in found else ()
                for name, found in of_file.items()
            },
            place in judged,
            place in relaxed,
        )
        for place, each in enumerate(chosen)
    ]


def _binaries(mols: Sequence[Chem.Mol]) -> tuple[bytes, ...]:
    found = [as_source(mol) for mol in mols]
    return tuple(each for each in found if isinstance(each, bytes))


def _report(name: str, found: _Found, seeds: Sequence[int], baselines: Sequence[str]) -> dict[str, Any]:
    runs = found.of(name, seeds)
    figures = [summarise_ensembles([run.comparison for run in each]) for each in runs]
    every = [run for each in runs for run in each]
    seconds = sum(run.seconds for run in every)
    samples = sum(run.comparison.rmsds.shape[1] for run in every)
    mean = {key: float(np.mean([each[key] for each in figures])) for key in figures[0]}
    return {
        "figures": _without_nan(mean),
        "deviation": _deviation(figures) if len(seeds) > 1 else None,
        "failures": dict(Counter(run.failure for run in every if run.failure)),
        "by_etkdg": sum(run.by_etkdg for run in every),
        "seconds": seconds,
        "conformers_per_second": samples / seconds if seconds else None,
        "checks": summarise_checks([run.checked for run in every if run.checked is not None]),
        "against": {
            other: _against(runs, found.of(other, seeds), seeds[0]) for other in baselines if other != name
        },
    }


def _deviation(figures: Sequence[Mapping[str, float]]) -> dict[str, float | None]:
    """Standard deviation over the seeds."""
    return _without_nan({name: float(np.std([f[name] for f in figures], ddof=1)) for name in _OVER_MOLECULES})


def _against(runs: list[list[Run]], baseline: list[list[Run]], seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, contrast in _COMPARED.items():
        statistics: tuple[Statistic, ...] = ("mean", "median") if contrast == "ratio" else ("mean",)
        for statistic in statistics:
            interval = paired_bootstrap(
                _over_seeds(runs, name),
                _over_seeds(baseline, name),
                contrast,
                statistic,
                seed=seed,
            )
            found[f"{name}_{statistic}_{contrast}"] = _without_nan(vars(interval))
    return found


def _over_seeds(runs: list[list[Run]], name: str) -> list[float]:
    """A figure of each molecule, averaged over the seeds with samples; NaN where there are none."""
    values = np.array([[run.comparison.figures()[name] for run in each] for each in runs])
    return [
        float(column[~np.isnan(column)].mean()) if not np.isnan(column).all() else math.nan
        for column in values.T
    ]


def _molecule(
    place: int, ensemble: Ensemble, found: _Found, names: Sequence[str], protocol: Protocol
) -> dict[str, Any]:
    methods = {}
    for name in names:
        runs = [[each[place]] for each in found.of(name, protocol.seeds)]
        methods[name] = _without_nan({figure: _over_seeds(runs, figure)[0] for figure in FIGURES})
    return {
        "name": ensemble.name,
        "smiles": ensemble.smiles,
        "references": len(ensemble.conformers),
        "methods": methods,
    }


def _without_nan(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
