"""Made molecules with made properties that depend on their structure."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rdkit import Chem

_ENDS = ("O", "N", "Cl", "C#N", "c1ccccc1", "C1CCCC1", "c1ccncc1", "C1CCNCC1", "C(=O)O", "c1ccco1")

#: Chains of up to six carbons with ten different ends.
SMILES = tuple("C" * length + end for end in _ENDS for length in range(1, 7))


def size(smiles: str) -> float:
    """Half the number of heavy atoms, less the number of heteroatoms."""
    mol = Chem.MolFromSmiles(smiles)
    return 0.5 * mol.GetNumAtoms() - sum(atom.GetAtomicNum() != 6 for atom in mol.GetAtoms())


#: A property that structure explains up to a little noise.
VALUES = np.array([size(smiles) for smiles in SMILES]) + np.random.default_rng(0).normal(0, 0.1, len(SMILES))
#: Whether there is a ring.
RINGS = np.array([int("1" in smiles) for smiles in SMILES])


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    """Writes columns as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path
