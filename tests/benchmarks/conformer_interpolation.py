"""Conformers on the way between two: how many of them PoseBusters passes, and how far they go at a step.

    python tests/benchmarks/conformer_interpolation.py conformers.sdf --limit 20

For each molecule of an SD file with several conformers: the two that are farthest apart, and `--frames`
conformers from one to the other (`molae.interpolate_conformers`). `step` is the heavy-atom RMSD between one
frame and the next, `apart` that between the ends; `reached` that between the last frame and the conformer
aimed at; means over molecules, in Å. Beside the rate of all frames stands that of the conformers themselves.
Records of the same name are conformers of one molecule.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem
from report import parser, publish

from molae.apps.conformers.checks import check_sample, require_checks
from molae.apps.conformers.codes import interpolate_conformers
from molae.apps.conformers.ensembles import read_references
from molae.chem.heavy import rmsd_matrix
from molae.chem.isomers import with_positions
from molae.errors import RowError


def main() -> None:
    arguments = _arguments()
    require_checks(posebusters=True, strain=False)
    read = [each.conformers for each in read_references(arguments.input, None).molecules]
    several = [each for each in read if len(each) > 1]
    order = np.sort(np.random.default_rng(arguments.seed).permutation(len(several))[: arguments.limit])
    found: list[dict[str, Any]] = []
    failures: list[str] = []
    for place in order:
        try:
            found.append(_between(*_ends(several[place]), arguments))
        except RowError as error:
            failures.append(error.kind)
    mean = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
    publish([{"molecules": len(found), **mean, "failed": len(failures)}], arguments, failures=failures)


def _ends(conformers: list[Chem.Mol]) -> tuple[Chem.Mol, Chem.Mol]:
    """The two conformers that are farthest apart."""
    apart = rmsd_matrix(conformers, conformers)
    first, second = np.unravel_index(np.argmax(apart), apart.shape)
    return conformers[first], conformers[second]


def _between(first: Chem.Mol, second: Chem.Mol, arguments: argparse.Namespace) -> dict[str, Any]:
    frames = _one_by_one(interpolate_conformers(first, second, arguments.frames, seed=arguments.seed))
    steps = [rmsd_matrix([one], [other])[0, 0] for one, other in pairwise(frames)]
    return {
        "apart": rmsd_matrix([first], [second])[0, 0],
        "step": np.mean(steps),
        "reached": rmsd_matrix([frames[-1]], [second])[0, 0],
        "frames passed": np.mean([check_sample(each, True, False).valid for each in frames]),
        "ends passed": np.mean([check_sample(each, True, False).valid for each in (first, second)]),
    }


def _one_by_one(mol: Chem.Mol) -> list[Chem.Mol]:
    return [with_positions(mol, each.GetPositions()[None]) for each in mol.GetConformers()]


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("input", type=Path, help="SD file with hydrogens")
    made.add_argument("--limit", type=int, default=20, help="molecules to take (default 20)")
    made.add_argument("--frames", type=int, default=10, help="conformers on the way (default 10)")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
