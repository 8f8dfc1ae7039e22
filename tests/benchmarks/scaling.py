"""How many times faster `molae embed` is with a shard on each of several cores than on one.

Seconds of the clock, of whole processes with one thread each, start and all, so the machine must have nothing
else to do; medians of paired turns. Beside it the same for programs that share nothing at all, RDKit's parser
on the whole file and large matrix products, in one process and in as many as there are cores: cores that
share caches, memory or the units that calculate do not give each process what one alone has.

    python scaling.py drugs.smi --cores 2
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from report import parser, publish

PARSER = "from rdkit import Chem; [Chem.MolFromSmiles(line) for line in open({file!r})]"
PRODUCTS = """import torch
torch.set_num_threads(1)
a, b = torch.randn(2000, 512), torch.randn(512, 512)
for _ in range(600): a @ b"""
EMBED = "from molae.cli import app; app()"


def main() -> None:
    arguments = _arguments()
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.repeats):
            for processes in (1, arguments.cores):
                for what, commands in _programs(arguments, processes, Path(folder)).items():
                    seconds[what, processes].append(_run(commands))
    rows = [_row(what, seconds, arguments.cores) for what in dict.fromkeys(what for what, _ in seconds)]
    publish(rows, arguments)


def _programs(arguments: argparse.Namespace, processes: int, folder: Path) -> dict[str, list[list[str]]]:
    """The commands that run at once; those of molae divide the work, the others do all of it each."""
    common = [EMBED, "embed", str(arguments.file), "--model", arguments.model, "--device", "cpu", "-q"]
    shards = [
        [*common, "-o", str(folder / f"{part}.parquet"), "--shard", f"{part}/{processes}"]
        for part in range(1, processes + 1)
    ]
    alone = {"RDKit's parser": PARSER.format(file=str(arguments.file)), "matrix products": PRODUCTS}
    return {"molae embed": shards} | {what: [[program]] * processes for what, program in alone.items()}


def _run(commands: list[list[str]]) -> float:
    """Runs programs at once; returns the seconds until the last is done."""
    start = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", *command],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    failed = [process.wait() for process in running]
    if any(failed):
        sys.exit(f"{commands[0]} failed: exit statuses {failed}")
    return time.perf_counter() - start


def _row(what: str, seconds: dict[tuple[str, int], list[float]], cores: int) -> dict[str, Any]:
    one, several = (statistics.median(seconds[what, processes]) for processes in (1, cores))
    work = 1 if what == "molae embed" else cores
    return {
        "what": what,
        "seconds, one process": one,
        f"seconds, {cores} processes": several,
        "times as much work": work * one / several,
    }


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("file", type=Path, help="SMILES file without a header")
    made.add_argument("--model", default="graph")
    made.add_argument("--cores", type=int, default=2)
    made.add_argument("--repeats", type=int, default=3)
    return made.parse_args()


if __name__ == "__main__":
    main()
