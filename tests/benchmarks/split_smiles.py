"""Splits SMILES files by what molecules share, so that nothing of it occurs in two parts.

With `--by scaffold` that is the Bemis-Murcko scaffold (the graph, for molecules without rings), with `--by
skeleton` the first block of the InChIKey, which all stereoisomers and most tautomers have in common. The part
is a hash of it alone: bucket 0 or 1 of 100 is test, 2 validation, the rest training. The split does not
depend on the files, their order, or a seed. The drug-like molecules that the shipped models were trained on
are of the training part by scaffold. Writes one `.smi` file for each part.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.rdBase import BlockLogs

from molae.chem.parse import parse_smiles, prepare
from molae.errors import RowError
from molae.io import open_rows


def main() -> None:
    arguments = _arguments()
    parts: dict[str, dict[str, int]] = {"train": {}, "validation": {}, "test": {}}
    for mol in molecules(arguments.inputs):
        parts[part_of(SHARED[arguments.by](mol))].setdefault(Chem.MolToSmiles(mol), mol.GetNumAtoms())
    arguments.output.mkdir(parents=True, exist_ok=True)
    for part, found in parts.items():
        smiles = [each for each, size in found.items() if arguments.min_atoms <= size <= arguments.max_atoms]
        random.Random(arguments.seed).shuffle(smiles)
        smiles = smiles[: arguments.limit]
        (arguments.output / f"{part}.smi").write_text("".join(f"{each}\n" for each in smiles))
        print(f"{part}: {len(smiles)} molecules")


def molecules(paths: Iterable[Path]) -> Iterator[Chem.Mol]:
    """The molecules of all files that can be read, prepared as for a model."""
    for path in paths:
        with open_rows(path) as reader:
            for row in (row for chunk in reader for row in chunk.rows):
                try:
                    yield prepare(parse_smiles(row.smiles)).mol
                except RowError:
                    continue


def scaffold(mol: Chem.Mol) -> str:
    """Bemis-Murcko scaffold, without stereo; the molecule itself where it has no ring."""
    found = MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=False)
    return found or Chem.MolToSmiles(mol, isomericSmiles=False)


def skeleton(mol: Chem.Mol) -> str:
    """First block of the InChIKey."""
    with BlockLogs():
        return Chem.MolToInchiKey(mol).split("-")[0]


SHARED = {"scaffold": scaffold, "skeleton": skeleton}


def part_of(key: str) -> str:
    """The part that a molecule belongs to, by what it shares with others."""
    bucket = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % 100
    return "test" if bucket < 2 else "validation" if bucket == 2 else "train"


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("inputs", nargs="+", type=Path, help="files of SMILES")
    made.add_argument(
        "--output", type=Path, required=True, help="folder for train.smi, validation.smi, test.smi"
    )
    made.add_argument("--by", choices=sorted(SHARED), default="scaffold", help="what no two parts share")
    made.add_argument("--min-atoms", type=int, default=1, help="fewest heavy atoms")
    made.add_argument("--max-atoms", type=int, default=50, help="most heavy atoms")
    made.add_argument("--limit", type=int, help="most molecules of a part, drawn by the seed")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
