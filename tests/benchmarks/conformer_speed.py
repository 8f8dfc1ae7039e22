"""Conformers per core-second, file to file: the model beside ETKDGv3, with and without MMFF94s.

    python tests/benchmarks/conformer_speed.py split/test.smi --limit 20

Processor time of one thread, without the time to load a model; medians of paired rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from time import process_time

import torch

from molae.apps.conformers.files import conformers_file
from molae.apps.conformers.generator import open_generator
from molae.apps.conformers.sampled import Request
from molae.apps.rows import Source

METHODS = (("conformer", "none"), ("etkdg", "none"), ("etkdg", "mmff"))


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("smiles", type=Path, help="SMILES file")
    made.add_argument("-n", type=int, default=50, help="conformers of a molecule")
    made.add_argument("--limit", type=int, default=20, help="molecules to take")
    made.add_argument("--rounds", type=int, default=3)
    arguments = made.parse_args()
    torch.set_num_threads(1)
    lines = arguments.smiles.read_text().splitlines()[: arguments.limit]
    rates: dict[tuple[str, str], list[float]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "molecules.smi"
        source.write_text("\n".join(lines) + "\n")
        for _ in range(arguments.rounds):
            for method in METHODS:
                rates[method].append(_rate(source, *method, arguments.n))
    peer = median(rates["etkdg", "none"])
    for (model, relax), values in rates.items():
        rate = median(values)
        print(f"{model}, relax {relax}: {rate:.1f} conformers per core-second, {rate / peer:.2f} x ETKDGv3")


def _rate(source: Path, model: str, relax: str, n: int) -> float:
    open_generator(model, None)
    output = source.with_name("out.sdf")
    begin = process_time()
    conformers_file(Source(source), output, Request(n, relax=relax), model, on_error="drop")
    seconds = process_time() - begin
    return output.read_text().count("$$$$") / seconds


if __name__ == "__main__":
    main()
