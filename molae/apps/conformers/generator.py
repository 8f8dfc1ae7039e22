"""What makes conformers: the protocol, and the ways that are known by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.catalogue import weights_of
from molae.chem.etkdg import sample_etkdg
from molae.errors import ConfigError

ETKDG = "etkdg"
DEFAULT = "conformer"
"""The model that is used unless told."""


class ConformerGenerator(Protocol):
    """Makes conformers of one molecule at a time."""

    def generate(self, mol: Chem.Mol, n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
        """Makes conformers.

        Args:
            mol: Molecule as `prepare` leaves it with all hydrogens as atoms, every configuration that
                matters specified; it has no conformer.
            n: Number of conformers.
            seed: Seed; the same gives the same conformers.
        Returns:
            Positions of all atoms in Å, in the order of `mol`; fewer than `n` where some failed. Which
            isomer they are is checked by the caller.
        Raises:
            RowError: If it can make none of this molecule, with the reason.
        """
        ...


class EtkdgGenerator:
    """ETKDGv3 of RDKit, without relaxation.

    Args:
        time_limit: Seconds for a molecule, None for no limit.
    """

    def __init__(self, time_limit: float | None = None) -> None:
        self._time_limit = time_limit

    def generate(self, mol: Chem.Mol, n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
        """Makes conformers, as `molae.chem.etkdg.sample_etkdg` does."""
        return sample_etkdg(mol, n, seed, self._time_limit)


def seed_of_turn(seed: int, turn: int) -> int:
    """The seed of what is drawn again: the first turn's is the seed itself, later ones share nothing with it.

    Args:
        seed: Seed of the whole.
        turn: Number of the turn, from 0.
    """
    return seed if turn == 0 else int(np.random.SeedSequence((seed, turn)).generate_state(1)[0] // 2)


def identity_of(name: str) -> str:
    """What tells a generator from others: the checksum of its weights, or the name of one that has none.

    Raises:
        CheckpointError: If there is no such model.
    """
    return name if name == ETKDG else weights_of(name)


@lru_cache(maxsize=4)
def open_generator(name: str = DEFAULT, time_limit: float | None = None) -> ConformerGenerator:
    """Readies a generator; a process that asks again gets the same.

    Args:
        name: `etkdg`, the name of a shipped model of conformers, or the path of one.
        time_limit: Seconds for a molecule after which no further conformer is begun, None for no limit.
    Returns:
        The generator.
    Raises:
        CheckpointError: If there is no such model, or it is damaged.
        ConfigError: If the model is of another kind.
    """
    if name == ETKDG:
        return EtkdgGenerator(time_limit)
    # Nothing here needs torch where ETKDGv3 alone is asked for.
    from molae.apps.conformers.turned import TurnedGenerator
    from molae.apps.loading import load
    from molae.conformer import ConformerModel

    model = load(name)
    if not isinstance(model, ConformerModel):
        raise ConfigError(f"{name} is no model of conformers: use one, or {ETKDG!r}")
    return TurnedGenerator(model, time_limit)
