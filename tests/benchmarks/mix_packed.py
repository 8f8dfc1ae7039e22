"""Joins packed data sets into one; a file named twice counts twice."""

from __future__ import annotations

import argparse
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from molae.batch.packed import PackedDataset
from molae.batch.skeletons import SkeletonDataset
from molae.errors import DataError


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("inputs", nargs="+", type=Path, help="packed data sets")
    made.add_argument("-o", "--output", type=Path, required=True, help="packed data set to write")
    made.add_argument("--limit", type=int, help="most graphs to take of each, drawn at random")
    made.add_argument("--seed", type=int, default=0)
    arguments = made.parse_args()
    random = np.random.default_rng(arguments.seed)
    parts = [_some(_load(path), arguments.limit, random) for path in arguments.inputs]
    joined = reduce(add, parts)
    joined.save(arguments.output)
    print(f"{len(joined)} graphs")


def _load(path: Path) -> Any:
    """Graphs, or ensembles of conformers."""
    try:
        return PackedDataset.load(path)
    except DataError:
        return SkeletonDataset.load(path)


def _some(data: Any, limit: int | None, random: np.random.Generator) -> Any:
    if limit is None or len(data) <= limit:
        return data
    return data.subset(np.sort(random.choice(len(data), limit, replace=False)))


if __name__ == "__main__":
    main()
