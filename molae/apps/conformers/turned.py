"""Conformers by the model: a few embeddings by ETKDGv3, whose bonds the model turns."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.apps.conformers.generator import seed_of_turn
from molae.apps.conformers.pack import make_record, require_fitting
from molae.batch.skeletons import LEVELS, collate_skeletons
from molae.chem.clashes import have_clashes
from molae.chem.etkdg import sample_etkdg
from molae.chem.hydrogens import carry_hydrogens
from molae.chem.skeleton import Skeleton, skeleton
from molae.chem.torsions import turn_by
from molae.conformer import ConformerModel, Turned

LEVEL = LEVELS[0]
"""Level of theory whose conformers are drawn."""

# Conformers that share a start, and starts of a molecule at least, where as many conformers are asked for:
# where rings may take several shapes, which only starts provide, and where they do not.
_SHARED, _FEWEST = {True: 8, False: 25}, {True: 4, False: 2}
# How often conformers in which atoms lie in one another are drawn again; the last are kept as they are.
_REDRAWN = 2
# Fewer heavy atoms than this do not tell how hydrogens lie between them.
_FEWEST_REFINED = 3
# Conformers that a bond which turns makes of one start, about.
_BRANCHES = 3


class TurnedGenerator:
    """Draws conformers from a model.

    Args:
        model: The model, in evaluation mode.
        time_limit: Seconds for the embeddings of a molecule, None for no limit.
    """

    def __init__(self, model: ConformerModel, time_limit: float | None = None) -> None:
        self._model = model
        self._time_limit = time_limit

    def generate(self, mol: Chem.Mol, n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
        """Makes conformers (see `molae.apps.conformers.generator.ConformerGenerator`)."""
        found = skeleton(mol)
        require_fitting(found)
        wanted = starts_for(n, len(found.bonds), found.has_flexible_ring)
        starts = sample_etkdg(mol, wanted, seed, self._time_limit, hydrogens=False)
        batch = collate_skeletons([make_record(found, LEVEL, starts)])
        prepared = self._model.prepare(batch.to(next(self._model.parameters()).device))

        def draw(n: int, seed: int) -> Float[np.ndarray, "s n 3"]:
            return _whole(mol, found, starts, self._model.sample(prepared, n, seed))

        positions = draw(n, seed)
        for turn in range(1, _REDRAWN + 1):
            (clashing,) = np.nonzero(have_clashes(mol, positions))
            if not len(clashing):
                break
            positions[clashing] = draw(len(clashing), seed_of_turn(seed, turn))
        return positions


def starts_for(n: int, bonds: int, flexible: bool) -> int:
    """How many embeddings `n` conformers begin from.

    Args:
        n: Number of conformers.
        bonds: Bonds of the molecule that turn.
        flexible: Whether a ring of it may take several shapes.
    """
    each = min(_SHARED[flexible], _BRANCHES**bonds)
    return min(n, max(_FEWEST[flexible], math.ceil(n / each)))


def _whole(
    mol: Chem.Mol, found: Skeleton, starts: Float[np.ndarray, "b n 3"], turned: Turned
) -> Float[np.ndarray, "s n 3"]:
    """Positions of all atoms, of which the model draws the heavy ones."""
    begin = starts[turned.start.cpu().numpy()]
    pos = turn_by(begin, found.torsions, turned.angles.cpu().numpy().astype(begin.dtype))
    if len(found) < _FEWEST_REFINED:
        return pos
    return carry_hydrogens(mol, pos, found.heavy, turned.pos.cpu().numpy().astype(pos.dtype))
