"""Which conformers of a sample stand for it best: the shapes that are drawn most often, each of them once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from rdkit import Chem

from molae.chem.torsions import find_torsions, measure_torsions

# Two conformers that differ in one torsion by 60° are alike by exp(-0.5 / 0.4), 0.29.
_WIDTH = 0.4


def commonest(mol: Chem.Mol, positions: Float[np.ndarray, "s n 3"], count: int) -> list[int]:
    """Finds the conformers that most others are like and that differ from one another.

    They are taken one by one. Each is the one with the most others alike that no earlier one stands for, by a
    kernel density over the torsions. Shapes of rings are not looked at.

    Args:
        mol: The molecule, all hydrogens atoms.
        positions: Positions of its atoms in the conformers, in Å.
        count: How many to find.
    Returns:
        Places of the conformers, the commonest first; of conformers alike in all torsions, the first ones.
    """
    torsions = find_torsions(mol)
    angles = measure_torsions(positions, torsions) * torsions.fold
    on_circle = np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    alike = np.exp((on_circle @ on_circle.T - len(torsions)) / _WIDTH)
    weight, found = alike.sum(axis=1), []
    for _ in range(min(count, len(positions))):
        place = int(weight.argmax())
        found.append(place)
        weight *= 1 - alike[place].clip(max=1)
        weight[found] = -1
    return found
