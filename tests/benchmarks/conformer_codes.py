"""How well conformers come back from their codes: symmetry-aware heavy-atom RMSD after superposition, in Å.

    python tests/benchmarks/conformer_codes.py conformers.sdf --limit 100

Each conformer of an SD file is encoded, and decoded from its code and the isomeric SMILES of its molecule:

    embedded    ETKDGv3 embeddings, which know nothing of the codes
    turned      decoded without relaxation
    relaxed     decoded with relaxation, the angles held (as `molae.decode_conformers` does by itself)

Beside median and mean stand the 95th percentile, the share below 0.5 Å, and the processor time. A conformer
that is not made has an infinite RMSD, and is left out of the mean alone. Records of the same name are
conformers of one molecule.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem
from report import parser, publish

from molae.apps.conformers.api import conformers
from molae.apps.conformers.codes import STARTS, decode_conformers, embed_conformers
from molae.apps.conformers.ensembles import read_references
from molae.apps.conformers.generator import ETKDG
from molae.chem.heavy import rmsd_matrix
from molae.chem.isomers import isomeric_smiles, with_positions
from molae.errors import RowError

WAYS = ("embedded", "turned", "relaxed")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    read = read_references(arguments.input, arguments.minima).molecules
    order = np.sort(np.random.default_rng(arguments.seed).permutation(len(read))[: arguments.limit])
    failures: Counter[str] = Counter()
    clock: Counter[str] = Counter()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for place in order:
        references = read[place].conformers[: arguments.conformers]
        for way in WAYS:
            start = time.process_time()
            try:
                made = make(way, references, arguments)
            except RowError as error:
                failures[f"{way}: {error.kind}"] += len(references)
                made = None
            clock[way] += time.process_time() - start
            found[way] += compare(references, made)
    rows = [
        {
            "conformers": way,
            "median": float(np.median(found[way])),
            "mean": float(np.mean(np.array(found[way])[np.isfinite(found[way])])),
            "95 %": float(np.percentile(found[way], 95)),
            "below 0.5": float(np.mean(np.array(found[way]) < 0.5)),
            "CPU s each": clock[way] / len(found[way]),
        }
        for way in WAYS
    ]
    count = len(found[WAYS[0]])
    publish(rows, arguments, molecules=len(order), conformers=count, failures=dict(failures))
    print(f"{len(order)} molecules, {count} conformers; not made: {dict(failures) or 'none'}")


def make(way: str, references: Sequence[Chem.Mol], arguments: argparse.Namespace) -> Chem.Mol:
    """A molecule with one conformer for each reference."""
    smiles = isomeric_smiles(references[0])
    if way == "embedded":
        return conformers(smiles, len(references), arguments.seed, model=ETKDG)
    codes = np.concatenate([embed_conformers(each) for each in references])
    options = {"starts": arguments.starts, "relax": way == "relaxed"}
    return decode_conformers(smiles, codes, arguments.seed, **options)


def compare(references: Sequence[Chem.Mol], made: Chem.Mol | None) -> list[float]:
    """RMSD of each conformer from the reference in its place; infinite where there is none."""
    positions = [] if made is None else [each.GetPositions() for each in made.GetConformers()]
    near = [
        float(rmsd_matrix([reference], [with_positions(made, pos[None])])[0, 0])
        for reference, pos in zip(references, positions, strict=False)
    ]
    return near + [math.inf] * (len(references) - len(near))


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("input", type=Path, help="SD file of conformers")
    made.add_argument("--minima", type=Path, help="table of their minimum_index (see molae evaluate)")
    made.add_argument("--limit", type=int, help="most molecules, drawn by the seed")
    made.add_argument("--conformers", type=int, help="most conformers of a molecule, the first ones")
    made.add_argument("--starts", type=int, default=STARTS, help=f"embeddings (default {STARTS})")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
