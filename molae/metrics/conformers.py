"""How well ensembles of conformers cover reference conformers, and how near to them they stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.chem.heavy import MAX_MATCHES, rmsd_matrix
from molae.chem.isomers import is_same_isomer

DELTAS = (0.5, 0.75, 1.0)
"""Distances within which a conformer counts as found, in Å."""
FIGURES = (
    *("amr_recall", "amr_precision"),
    *(f"coverage_{side}_{delta}" for delta in DELTAS for side in ("recall", "precision")),
)
"""Names of the figures of a molecule."""
RESAMPLES = 2_000

NAN = float("nan")

Statistic = Literal["mean", "median"]
Contrast = Literal["difference", "ratio"]


@dataclass(frozen=True)
class EnsembleComparison:
    """The samples of one molecule beside its references.

    Attributes:
        rmsds: Heavy-atom RMSD of each sample from each reference, in Å; no column where there is no sample.
        stereo_mismatches: Samples that are another stereoisomer than the first reference. They stay in
            `rmsds` with what their positions give.
    """

    rmsds: Float[np.ndarray, "k s"]
    stereo_mismatches: int = 0

    @property
    def missing(self) -> bool:
        """Whether there is no sample."""
        return self.rmsds.shape[1] == 0

    def figures(self) -> dict[str, float]:
        """Figures of this molecule.

        With d(k, s) the RMSDs, recall asks for every reference whether a sample is near, precision for every
        sample whether a reference is (Ganea et al. 2021, arXiv 2106.07802):
        coverage recall = mean_k [min_s d(k, s) < δ], AMR recall = mean_k min_s d(k, s); precision the same
        with k and s exchanged.

        Returns:
            `amr_recall` and `amr_precision` in Å, NaN where there is no sample; `coverage_recall_δ` and
            `coverage_precision_δ`, shares from 0 to 1, for each δ of `DELTAS`; 0 where there is no sample.
        """
        if self.missing:
            return {name: NAN if name.startswith("amr") else 0.0 for name in FIGURES}
        nearest_sample, nearest_reference = self.rmsds.min(axis=1), self.rmsds.min(axis=0)
        found = {
            "amr_recall": float(nearest_sample.mean()),
            "amr_precision": float(nearest_reference.mean()),
        }
        for delta in DELTAS:
            found[f"coverage_recall_{delta}"] = float((nearest_sample < delta).mean())
            found[f"coverage_precision_{delta}"] = float((nearest_reference < delta).mean())
        return found


def compare_ensembles(
    references: Sequence[Chem.Mol], samples: Sequence[Chem.Mol], max_matches: int = MAX_MATCHES
) -> EnsembleComparison:
    """Compares the samples of one molecule with its references.

    Args:
        references: Reference conformers, each a molecule with positions in Å; at least one.
        samples: Sampled conformers, atoms in any order. None at all is a missing molecule.
        max_matches: Most symmetric readings that are tried; beyond, RMSDs are upper bounds.
    Returns:
        The comparison.
    Raises:
        RowError: As `molae.chem.heavy.rmsd_matrix`.
    """
    rmsds = rmsd_matrix(references, samples, max_matches)
    wrong = sum(not is_same_isomer(sample, references[0]) for sample in samples)
    return EnsembleComparison(rmsds, wrong)


def summarise_ensembles(comparisons: Sequence[EnsembleComparison]) -> dict[str, float]:
    """Gathers the figures of the conformer protocol.

    Args:
        comparisons: One comparison for each molecule, those without samples included.
    Returns:
        `count` of molecules, `missing` (without samples), `references`, `samples`, `stereo_mismatches`; mean
        and median over the molecules of each figure of `EnsembleComparison.figures`, as `amr_recall_mean`
        and so on. A missing molecule has coverage 0 and is left out of the AMRs, so that these rest on
        `count` less `missing` molecules; NaN where there is none.
    """
    rows = [comparison.figures() for comparison in comparisons]
    found: dict[str, float] = {
        "count": len(comparisons),
        "missing": sum(each.missing for each in comparisons),
        "references": sum(each.rmsds.shape[0] for each in comparisons),
        "samples": sum(each.rmsds.shape[1] for each in comparisons),
        "stereo_mismatches": sum(each.stereo_mismatches for each in comparisons),
    }
    for name in FIGURES:
        values = np.array([row[name] for row in rows])
        present = values[~np.isnan(values)]
        found[f"{name}_mean"] = float(present.mean()) if len(present) else NAN
        found[f"{name}_median"] = float(np.median(present)) if len(present) else NAN
    return found


@dataclass(frozen=True)
class PairedInterval:
    """A figure of one method against that of another on the same molecules.

    Attributes:
        value: Difference or ratio of the statistics over all molecules.
        low: Lower end of the bootstrap interval.
        high: Upper end.
        count: Molecules that have both values.
    """

    value: float
    low: float
    high: float
    count: int


def paired_bootstrap(
    values: Sequence[float],
    baseline: Sequence[float],
    compare: Contrast = "difference",
    statistic: Statistic = "mean",
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> PairedInterval:
    """Percentile bootstrap over molecules, both methods drawn together (Efron, Tibshirani 1993).

    Args:
        values: A figure for each molecule; NaN where there is none.
        baseline: That of the other method, for the same molecules in the same order.
        compare: `difference` (values minus baseline) or `ratio` (values over baseline) of the statistics.
        statistic: What is taken over the molecules.
        resamples: Number of bootstrap samples.
        level: Share that the interval holds.
        seed: Seed of the bootstrap.
    Returns:
        The interval; molecules where one of the two is NaN are left out, and all is NaN if none is left.
    """
    pairs = np.array([values, baseline], dtype=np.float64).T.reshape(-1, 2)
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    if not len(pairs):
        return PairedInterval(NAN, NAN, NAN, 0)
    average: Callable[..., np.ndarray] = np.mean if statistic == "mean" else np.median
    random = np.random.default_rng(seed)
    # One resample after the other: all at once would not fit for large sets.
    drawn = np.array(
        [average(pairs[random.integers(len(pairs), size=len(pairs))], axis=0) for _ in range(resamples)]
    )
    found, spread = (_contrast(each, compare) for each in (average(pairs, axis=0), drawn))
    low, high = (
        np.nanquantile(spread, [(1 - level) / 2, (1 + level) / 2]) if np.isfinite(found) else (NAN, NAN)
    )
    return PairedInterval(float(found), float(low), float(high), len(pairs))


def _contrast(averages: Float[np.ndarray, "... 2"], compare: Contrast) -> Float[np.ndarray, "..."]:
    mine, other = averages[..., 0], averages[..., 1]
    if compare == "difference":
        return mine - other
    # A coverage may be 0 for every molecule of a resample.
    return np.divide(mine, other, out=np.full_like(mine, NAN), where=other != 0)
