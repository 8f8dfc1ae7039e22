"""From a row of the input to the ensembles of its isomers."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from rdkit import Chem

from molae.apps.conformers.generator import ConformerGenerator
from molae.apps.conformers.sampled import Request, Sampled, sample_conformers
from molae.apps.molecules import Source, parse_source
from molae.chem.etkdg import sample_etkdg
from molae.chem.isomers import open_isomers, with_positions
from molae.chem.parse import OPEN_STEREO, count_open_stereo, prepare
from molae.chem.stereo import assign_stereo_from_positions, has_other_stereo
from molae.errors import RowError

logger = logging.getLogger("molae.apps")

MAX_ISOMERS = 64
"""Most isomers that are enumerated."""


@dataclass(frozen=True)
class Isomer:
    """The ensemble of one stereoisomer.

    Attributes:
        mol: The molecule, all hydrogens atoms, no conformer.
        sampled: Its conformers.
        stereo: `specified`, or, where the input left stereo open, `picked` or `enumerated`.
        notes: What was changed or left open on the way.
    """

    mol: Chem.Mol
    sampled: Sampled
    stereo: str
    notes: tuple[str, ...]


def read_whole(source: Source) -> tuple[Chem.Mol, tuple[str, ...]]:
    """Makes the molecule whose conformers are wanted, all hydrogens atoms.

    Args:
        source: The molecule; positions serve to tell its stereo alone.
    Returns:
        The molecule without conformers, atoms of the input first; and notes on what was changed.
    Raises:
        RowError: Why it cannot be read.
    """
    prepared = prepare(parse_source(source), hydrogens=True)
    mol = prepared.mol
    mol.RemoveAllConformers()
    notes = [note for note in prepared.notes if not note.startswith(OPEN_STEREO)]
    if has_other_stereo(mol):
        notes.append("stereo of an axis, or of a centre that is not tetrahedral, is not looked after")
    return mol, tuple(notes)


def sample_isomers(
    source: Source, generator: ConformerGenerator, request: Request, enumerate_stereo: bool = False
) -> list[Isomer]:
    """Makes the ensemble of a molecule; where its stereo is open, of an isomer that the seed picks, or all.

    Args:
        source: The molecule.
        generator: What makes the conformers.
        request: What is asked for; of each isomer, where there are several.
        enumerate_stereo: Whether all isomers of a molecule with open stereo are wanted, 64 at most, and not
            one of them. Those that cannot be built, as of a cage, are left out.
    Returns:
        At least one isomer.
    Raises:
        RowError: Why there is not one conformer.
    """
    mol, notes = read_whole(source)
    places = count_open_stereo(mol)
    if not places:
        sampled = sample_conformers(mol, generator, request)
        return [Isomer(mol, sampled, "specified", notes + sampled.notes)]
    left_open = f"{OPEN_STEREO} in {places} place{'s' * (places > 1)}"
    if not enumerate_stereo:
        notes = (*notes, f"{left_open}: one isomer is picked at random")
        isomer = _pick(mol, request)
        sampled = sample_conformers(isomer, generator, request)
        return [Isomer(isomer, sampled, "picked", notes + sampled.notes)]
    notes = (*notes, f"{left_open}: all isomers are made")
    found: list[Isomer] = []
    failure = RowError("no stereoisomer of it can be written", "no_isomer")
    for isomer in open_isomers(mol, request.seed, MAX_ISOMERS):
        try:
            sampled = sample_conformers(isomer, generator, request)
        except RowError as error:
            failure = error
            continue
        found.append(Isomer(isomer, sampled, "enumerated", notes + sampled.notes))
    if not found:
        raise failure
    return found


def try_isomers(
    source: Source, generator: ConformerGenerator, request: Request, enumerate_stereo: bool = False
) -> list[Isomer] | RowError:
    """Makes ensembles as `sample_isomers` does, but returns the error: a bad row never stops a run."""
    try:
        return sample_isomers(source, generator, request, enumerate_stereo)
    except RowError as error:
        return error
    except (RuntimeError, ValueError, ArithmeticError) as error:  # whatever RDKit may come up with
        logger.debug("unexpected error", exc_info=True)
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        return RowError(f"no conformers: {type(error).__name__}: {reason}", "unexpected")


def _pick(mol: Chem.Mol, request: Request) -> Chem.Mol:
    """The isomer that an embedding gives: of those that can be built, one at random."""
    positions = sample_etkdg(mol, 1, request.seed, request.time_limit)
    isomer = assign_stereo_from_positions(with_positions(mol, positions))
    isomer.RemoveAllConformers()
    return isomer
