"""Parts an SD file of reference ensembles by molecule: some to measure on, the others to train on.

    python tests/benchmarks/split_conformers.py conformers_dev.sdf.gz --output split --test 85

Writes `train.sdf.gz`, `test.sdf.gz` and `test.smi`, whose molecules `molae prepare --exclude` leaves out of
other training data. Records of the same name are one molecule.
"""

from __future__ import annotations

import argparse
import gzip
import random
from pathlib import Path

END = "$$$$\n"


def main() -> None:
    arguments = _arguments()
    opened = gzip.open if arguments.data.suffix == ".gz" else open
    with opened(arguments.data, "rt") as stream:
        records = [record for record in stream.read().split(END) if record.strip()]
    names = sorted({_name(record) for record in records})
    random.Random(arguments.seed).shuffle(names)
    test = set(names[: arguments.test])
    arguments.output.mkdir(parents=True, exist_ok=True)
    for part, wanted in (("test", True), ("train", False)):
        with gzip.open(arguments.output / f"{part}.sdf.gz", "wt") as stream:
            stream.writelines(record + END for record in records if (_name(record) in test) == wanted)
    smiles = {_name(record): _smiles(record) for record in reversed(records)}
    lines = [f"{smiles[name]} {name}\n" for name in sorted(test)]
    (arguments.output / "test.smi").write_text("".join(lines))
    print(f"{len(test)} molecules to measure on, {len(names) - len(test)} to train on")


def _name(record: str) -> str:
    return record.split("\n", 1)[0].strip()


def _smiles(record: str) -> str:
    """The property `smiles`."""
    lines = record.split("\n")
    place = next(k for k, line in enumerate(lines) if line.startswith(">") and "<smiles>" in line)
    return lines[place + 1].strip()


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("data", type=Path, help="SD file whose records have the property `smiles`")
    made.add_argument("--output", type=Path, required=True, help="folder to write to")
    made.add_argument("--test", type=int, default=85, help="molecules to measure on")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
