"""Ensembles as users get them: of the right stereo, relaxed, sorted and pruned where that is asked for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.apps.conformers.generator import ETKDG, ConformerGenerator, EtkdgGenerator, seed_of_turn
from molae.chem.commonest import commonest
from molae.chem.etkdg import sample_etkdg
from molae.chem.force_field import relax_force_field
from molae.chem.gfn2 import energy_gfn2, relax_gfn2, require_gfn2
from molae.chem.heavy import distinct
from molae.chem.isomers import keep_configurations, with_positions
from molae.errors import ConfigError, RowError

Relax = Literal["none", "mmff", "gfn2"]

MODEL = "model"
SAME_MINIMUM = {"mmff": 0.3, "gfn2": 0.125}
"""Least RMSD between conformers relaxed so, in Å: what one minimum is depends on how well it is found."""

# How often a model is asked again for the conformers that were not of the right isomer.
_ROUNDS = 3


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        n: Conformers of a molecule.
        seed: Seed of the conformers, and of the isomer where the input leaves stereo open.
        relax: `none`, `mmff` (MMFF94s, UFF where it lacks parameters) or `gfn2` (GFN2-xTB).
        prune_rmsd: Least heavy-atom RMSD between two conformers, in Å; None for no pruning.
        time_limit: Seconds for a molecule after which nothing further is begun, None for no limit.
        of: Conformers that are drawn. The `n` commonest that differ are kept (see
            `molae.chem.commonest.commonest`), or if they are to be relaxed, which MMFF94s does to all, the
            `n` lowest that differ. Where `gfn2` is asked for, its energies say which are the lowest, and
            these are relaxed by it. None for `n`, all of which are kept.
    """

    n: int = 50
    seed: int = 0
    relax: Relax = "none"
    prune_rmsd: float | None = None
    time_limit: float | None = None
    of: int | None = None


@dataclass(frozen=True)
class Sampled:
    """An ensemble of one molecule.

    Attributes:
        positions: Positions of all atoms, hydrogens too, in Å.
        made_by: How each conformer was made: `model`, `etkdg`, or, where that is what was left, `etkdg: ` and
            the reason.
        energies: Energy of each conformer in kcal/mol; NaN where there is none.
        method: What the energies are of, `MMFF94s`, `UFF` or `GFN2-xTB`; None where there are none.
        notes: What a user should know.
    """

    positions: Float[np.ndarray, "s n 3"]
    made_by: tuple[str, ...]
    energies: Float[np.ndarray, " s"]
    method: str | None = None
    notes: tuple[str, ...] = ()

    def take(self, places: list[int]) -> Sampled:
        """The conformers of these places, in their order."""
        made_by = tuple(self.made_by[place] for place in places)
        return replace(
            self, positions=self.positions[places], made_by=made_by, energies=self.energies[places]
        )


def check_request(request: Request) -> None:
    """Checks what is asked for.

    Raises:
        ConfigError: If a number is out of range, or what relaxes is not installed.
    """
    if request.n < 1:
        raise ConfigError(f"n: expected at least 1 conformer, got {request.n}")
    for name in ("prune_rmsd", "time_limit"):
        value = getattr(request, name)
        if value is not None and not value > 0:
            raise ConfigError(f"{name}: expected a number above 0, got {value}")
    if request.relax not in get_args(Relax):
        raise ConfigError(f"relax: expected one of {', '.join(get_args(Relax))}, got {request.relax!r}")
    if request.of is not None and request.of < request.n:
        raise ConfigError(f"of: expected at least n, {request.n}, got {request.of}")
    if request.relax == "gfn2":
        require_gfn2()


def sample_conformers(mol: Chem.Mol, generator: ConformerGenerator, request: Request) -> Sampled:
    """Makes an ensemble whose every conformer is the isomer that the molecule says.

    Conformers of another isomer are made again, and what is missing then is made by ETKDGv3, and marked so;
    likewise all where the generator cannot take the molecule.

    Args:
        mol: Molecule as `prepare` leaves it with all hydrogens as atoms, without open stereo or conformer.
        generator: What makes the conformers.
        request: What is asked for.
    Returns:
        At least one conformer; by energy where relaxed, the commonest first where chosen so, else in the
        order in which they were made.
    Raises:
        RowError: Why there is not one conformer.
        ConfigError: If what relaxes is not installed.
    """
    end = None if request.time_limit is None else monotonic() + request.time_limit
    drawn = replace(request, n=request.of or request.n)
    sampled = _generate(mol, generator, drawn, end)
    if len(sampled.positions) < drawn.n:
        sampled = _with_note(sampled, "fewer conformers than asked for: the others failed, or time ran out")
    if request.of is not None and request.relax == "none":
        sampled = sampled.take(commonest(mol, sampled.positions, request.n))
    elif request.of is not None:
        sampled = _lowest(mol, sampled, request, end)
        if len(sampled.positions) < request.n:
            sampled = _with_note(sampled, "fewer conformers than asked for: no others that differ were found")
    elif request.relax != "none":
        sampled = relax_sampled(mol, sampled, request.relax, end)
    if request.prune_rmsd is not None:
        sampled = sampled.take(distinct(with_positions(mol, sampled.positions), request.prune_rmsd))
    return sampled


def _lowest(mol: Chem.Mol, sampled: Sampled, request: Request, end: float | None) -> Sampled:
    """The lowest that differ, relaxed."""
    relaxed = relax_sampled(mol, sampled, "mmff", end)
    apart = SAME_MINIMUM["mmff"] if request.prune_rmsd is None else request.prune_rmsd
    most = request.n if request.relax == "mmff" else None
    kept = relaxed.take(distinct(with_positions(mol, relaxed.positions), apart, most=most))
    if request.relax == "mmff":
        return kept
    return relax_sampled(mol, lowest_by_gfn2(mol, kept, request.n, end), "gfn2", end)


def lowest_by_gfn2(mol: Chem.Mol, sampled: Sampled, most: int | None, end: float | None = None) -> Sampled:
    """The lowest by GFN2-xTB of conformers that were relaxed otherwise.

    Args:
        mol: The molecule.
        sampled: Its conformers.
        most: How many to take; None for all.
        end: Time of the monotonic clock after which no further energy is asked for; None for any.
    Returns:
        The conformers by that energy; those of unknown energy last, in their order. `energies` are as before.
    """
    if most is not None and len(sampled.positions) <= most:
        return sampled
    energies = energies_by_gfn2(mol, sampled, end)
    return sampled.take(np.argsort(energies, kind="stable")[:most].tolist())


def energies_by_gfn2(mol: Chem.Mol, sampled: Sampled, end: float | None = None) -> Float[np.ndarray, " s"]:
    """Energies of conformers by GFN2-xTB as they are, in kcal/mol; infinite where unknown (arguments as of
    `lowest_by_gfn2`)."""
    energies = np.full(len(sampled.positions), np.inf)
    for place, positions in enumerate(sampled.positions):
        if end is not None and monotonic() > end:
            break
        with suppress(RowError):
            energies[place] = energy_gfn2(mol, positions)
    return energies


def _generate(mol: Chem.Mol, generator: ConformerGenerator, request: Request, end: float | None) -> Sampled:
    if isinstance(generator, EtkdgGenerator):
        positions = generator.generate(mol, request.n, request.seed)
        return _unrelaxed(positions, [ETKDG] * len(positions))
    found, reason = _ask_model(mol, generator, request, end)
    missing = request.n - len(found)
    made_by = [MODEL] * len(found)
    if missing:
        try:
            more = sample_etkdg(mol, missing, request.seed, _left(end))
        except RowError:
            if not found:
                raise
        else:
            found += list(more)
            made_by += [f"{ETKDG}: {reason}"] * len(more)
    sampled = _unrelaxed(np.array(found), made_by)
    return (
        _with_note(sampled, f"conformers by ETKDGv3 instead of the model: {reason}") if missing else sampled
    )


def _ask_model(
    mol: Chem.Mol, generator: ConformerGenerator, request: Request, end: float | None
) -> tuple[list[Float[np.ndarray, "n 3"]], str]:
    """Up to n conformers of the right isomer, and why there are no more."""
    found: list[Float[np.ndarray, "n 3"]] = []
    reason = "wrong stereo or no finite positions in what the model made"
    for turn in range(_ROUNDS):
        missing = request.n - len(found)
        if not missing:
            break
        if end is not None and monotonic() > end:
            return found, "the time limit"
        try:
            positions = generator.generate(mol, missing, seed_of_turn(request.seed, turn))
        except RowError as error:
            return found, error.reason
        positions = positions[np.isfinite(positions).all(axis=(1, 2))]
        found += list(positions[keep_configurations(mol, positions)])
    return found, reason


def relax_sampled(mol: Chem.Mol, sampled: Sampled, relax: Relax, end: float | None = None) -> Sampled:
    """Relaxes an ensemble.

    Args:
        mol: The molecule, as for `sample_conformers`.
        sampled: Its conformers.
        relax: `mmff` or `gfn2`.
        end: Time of the monotonic clock after which no further conformer is begun; None for any.
    Returns:
        The conformers by energy, without those that failed, became another isomer, or were not begun.
    Raises:
        RowError: If not one is left.
    """
    places: list[int] = []
    positions, energies = [], []
    method: str | None = None
    failure = RowError("every conformer became another stereoisomer when relaxed", "stereo_mismatch")
    for place, start in enumerate(sampled.positions):
        if places and end is not None and monotonic() > end:
            break
        try:
            relaxed, energy, method = _relax_one(mol, start, relax)
        except RowError as error:
            failure = error
            continue
        if keep_configurations(mol, relaxed[None])[0]:
            places.append(place)
            positions.append(relaxed)
            energies.append(energy)
    if not places:
        raise failure
    kept = replace(sampled.take(places), positions=np.array(positions), energies=np.array(energies))
    if len(places) < len(sampled.positions):
        kept = _with_note(
            kept, "conformers left out: relaxation failed or gave another molecule, or time ran out"
        )
    if method is None:
        return _with_note(kept, "not relaxed: neither MMFF94s nor UFF has parameters")
    return replace(kept, method=method).take(np.argsort(kept.energies, kind="stable").tolist())


def _relax_one(
    mol: Chem.Mol, start: Float[np.ndarray, "n 3"], relax: Relax
) -> tuple[Float[np.ndarray, "n 3"], float, str | None]:
    if relax == "gfn2":
        found = relax_gfn2(mol, start)
        return found.positions, found.energy, "GFN2-xTB"
    posed = with_positions(mol, start[None])
    method, energies = relax_force_field(posed)
    return posed.GetConformer().GetPositions(), float(energies[0]), method


def _unrelaxed(positions: Float[np.ndarray, "s n 3"], made_by: list[str]) -> Sampled:
    return Sampled(positions, tuple(made_by), np.full(len(positions), np.nan))


def _with_note(sampled: Sampled, note: str) -> Sampled:
    return replace(sampled, notes=(*sampled.notes, note))


def _left(end: float | None) -> float | None:
    return None if end is None else max(end - monotonic(), 1.0)
