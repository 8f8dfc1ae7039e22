"""Search for a property in conformers (`molae.optimise`) beside as many draws of the generator.

    python tests/benchmarks/conformer_search.py molecules.smi --limit 10 -n 100

For each molecule of a SMILES file: the radius of gyration made small and large, and the shape overlap with an
ETKDGv3 embedding of another seed made large. `found` and `drawn` are means over the molecules of the best
value; `better` counts those whose search ends with the better one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import parser, publish

from molae.apps.conformers.api import conformers
from molae.apps.conformers.generator import ETKDG
from molae.apps.conformers.optimise import optimise
from molae.apps.conformers.properties import Known
from molae.errors import RowError
from molae.io import open_rows

OTHER_SEED = 1_000


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    found: dict[str, list[tuple[float, float]]] = {}
    failed = 0
    for smiles in molecules(arguments.input, arguments.limit):
        try:
            for name, pair in search(smiles, arguments):
                found.setdefault(name, []).append(pair)
        except RowError as error:
            failed += 1
            print(f"left out, {error.reason}: {smiles}")
    publish([row(name, np.array(pairs)) for name, pairs in found.items()], arguments, left_out=failed)


def search(smiles: str, arguments: argparse.Namespace) -> Iterator[tuple[str, tuple[float, float]]]:
    """The best values that the search and the draws have, for each property."""
    reference = conformers(smiles, 1, OTHER_SEED + arguments.seed, model=ETKDG)
    wanted: dict[str, tuple[Known, bool]] = {
        "least radius of gyration, Å": ("radius_of_gyration", False),
        "largest radius of gyration, Å": ("radius_of_gyration", True),
        "largest shape overlap": (("shape", reference), True),
    }
    for name, (known, maximise) in wanted.items():
        options: dict[str, Any] = {"maximise": maximise, "model": arguments.model}
        result = optimise(smiles, known, arguments.n, arguments.seed, **options)
        yield name, (float(result.found.values[0]), float(result.random.values[0]))


def row(name: str, pairs: np.ndarray) -> dict[str, Any]:
    """The row of one property."""
    sign = -1 if name.startswith("least") else 1
    found, drawn = pairs.T
    return {
        "property": name,
        "molecules": len(pairs),
        "found": float(found.mean()),
        "drawn": float(drawn.mean()),
        "better": int((sign * (found - drawn) > 0).sum()),
        "worse": int((sign * (found - drawn) < 0).sum()),
    }


def molecules(path: Path, limit: int) -> list[str]:
    """SMILES of a file, at even distances."""
    with open_rows(path) as reader:
        read = [row.smiles for chunk in reader for row in chunk.rows if row.smiles]
    return [read[place] for place in np.linspace(0, len(read) - 1, min(limit, len(read))).astype(int)]


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("input", type=Path, help="file of SMILES")
    made.add_argument("--limit", type=int, default=10, help="most molecules (default 10)")
    made.add_argument("-n", type=int, default=100, help="conformers that are looked at (default 100)")
    made.add_argument("--model", default=ETKDG, help="what draws conformers (default etkdg)")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
