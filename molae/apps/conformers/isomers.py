"""From a row of the input to the ensembles of its isomers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from molae.apps.conformers.generator import ConformerGenerator
from molae.apps.conformers.sampled import Request, Sampled, sample_conformers
from molae.apps.molecules import Source, parse_source
from molae.chem.isomers import open_isomers
from molae.chem.parse import OPEN_STEREO, count_open_stereo, prepare
from molae.errors import RowError

logger = logging.getLogger("molae.apps")

MAX_ISOMERS = 64
"""Most isomers that are enumerated, or tried where one is picked and the first are impossible."""


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
    return mol, tuple(note for note in prepared.notes if not note.startswith(OPEN_STEREO))


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
    found: list[Isomer] = []
    failure: RowError | None = None
    stereo = "enumerated" if enumerate_stereo else "picked"
    taken = "all isomers are made" if enumerate_stereo else "one isomer is picked at random"
    notes = (*notes, f"{OPEN_STEREO} in {places} place{'s' * (places > 1)}: {taken}")
    for isomer in _in_random_order(mol, request.seed, enumerate_stereo):
        try:
            sampled = sample_conformers(isomer, generator, request)
        except RowError as error:
            failure = error
            continue
        found.append(Isomer(isomer, sampled, stereo, notes + sampled.notes))
        if not enumerate_stereo:
            break
    if not found:
        raise failure or RowError("no stereoisomer of it can be written", "no_isomer")
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


def _in_random_order(mol: Chem.Mol, seed: int, enumerate_stereo: bool) -> Iterator[Chem.Mol]:
    isomers = open_isomers(mol, seed, MAX_ISOMERS)
    if enumerate_stereo:
        yield from isomers
        return
    # RDKit gives a few isomers in a fixed order, only many in a random one.
    drawn = list(isomers)
    for place in np.random.default_rng(seed).permutation(len(drawn)):
        yield drawn[place]
