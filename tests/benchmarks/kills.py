"""Kills `molae embed`, `conformers`, `prepare` and `train` over and over, resumes them, counts what is lost.

Every run is ended by SIGKILL, which no program can catch, at a random moment, or before a random one of its
operations on files (where between two of them a run could be caught half-way); the next resumes it, until
one comes to its end. What it leaves must be, byte for byte, what a run leaves that was not disturbed; of
tables the rows that are missing or there twice are counted too. Runs are forked from this process, so that
kills hit the work and not the start of Python.

    python kills.py --kills 50
    python kills.py --kills 200 --verbs embed
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from rdkit import Chem
from report import parser, publish

import molae.apps.conformers.files
import molae.apps.conformers.prepare
import molae.apps.molecules
from molae.apps.molecules import molecule_schema
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.checkpoint import save_checkpoint
from molae.cli import app

FILE_OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree")
MODEL = """
[model]
code_size = 16
encoder = {name = "slots", width = 16, head_width = 32, head_depth = 1}
decoder = {name = "slots", width = 16, pair_width = 16, head_width = 32, head_depth = 1}
[data]
coordinates = false
[training]
steps = 60
batch_size = 8
validate_every = 20
validation_size = 8
checkpoint_minutes = 0.0001
log_every = 5
precision = "32-true"
accelerator = "cpu"
"""


@dataclass(frozen=True)
class Verb:
    """A run that is killed.

    Attributes:
        arguments: Its command line; OUT stands for the output.
        output: Name of the output.
        content: What the output holds: bytes by the name of the file, of what must not differ.
        rows: Names of the rows of the output, for those that have rows.
    """

    arguments: list[str]
    output: str
    content: Callable[[Path], dict[str, bytes]]
    rows: Callable[[Path], list[str]]


def main() -> None:
    """Kills, resumes, compares, and prints."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    # Small chunks: many parts to be killed between.
    molae.apps.molecules.CHUNK_SIZE = 8
    molae.apps.conformers.files._CHUNK_SIZE = 4
    molae.apps.conformers.prepare._CHUNK_SIZE = {"mmff": 4}
    if "train" in options.verbs:
        importlib.import_module("molae.training")  # so that kills hit the work, not this
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _write_inputs(options.rows)
        verbs = _verbs()
        rows = [_try_verb(name, verbs[name], options) for name in options.verbs]
    publish(rows, options)
    if any(row["runs that differ"] or row["rows lost"] or row["rows doubled"] for row in rows):
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    made = parser(__doc__)
    made.add_argument("--kills", type=int, default=20, help="kills of each verb (default 20)")
    made.add_argument("--rows", type=int, default=300, help="rows that are embedded (default 300)")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--verbs", nargs="+", default=["embed", "conformers", "prepare", "train"])
    return made


def _write_inputs(rows: int) -> None:
    small = [f"{'C' * (1 + i % 4)}{('O', 'N', 'Cl', 'C=O', 'C#N')[i % 5]}" for i in range(rows)]
    lines = [f"{smiles} m{place}" for place, smiles in enumerate(small)]
    lines[rows // 2] = f"nonsense m{rows // 2}"
    Path("embed.smi").write_text("\n".join(lines))
    Path("made.smi").write_text("\n".join(lines[:48]))
    Path("train.smi").write_text("\n".join(lines[:40]))
    Path("config.toml").write_text(MODEL)
    torch.manual_seed(0)
    config = AutoencoderConfig(
        code_size=16,
        encoder={"name": "slots", "width": 16, "head_width": 32, "head_depth": 1},
        decoder={"name": "slots", "width": 16, "pair_width": 16, "head_width": 32, "head_depth": 1},
    )
    save_checkpoint(Autoencoder(config, molecule_schema(12, coordinates=False)), Path("model"))


def _verbs() -> dict[str, Verb]:
    def one_file(path: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes()}

    def models(path: Path) -> dict[str, bytes]:
        weights = sorted(path.glob("*/weights*.safetensors"))
        return {f"{each.parent.name}/{each.name}": each.read_bytes() for each in weights}

    def names(path: Path) -> list[str]:
        return pq.read_table(path)["id"].to_pylist()

    def titles(path: Path) -> list[str]:
        return [record.lstrip("\n").split("\n")[0] for record in path.read_text().split("$$$$")[:-1]]

    def steps(path: Path) -> list[str]:
        return [line.split(",")[0] for line in (path / "metrics.csv").read_text().splitlines()]

    embed = ["embed", "embed.smi", "--model", "model", "--device", "cpu", "-o", "OUT"]
    train = ["train", "--config", "config.toml", "--data", "train.smi", "--output", "OUT"]
    return {
        "embed": Verb(embed, "out.parquet", one_file, names),
        "conformers": Verb(["conformers", "made.smi", "-n", "2", "-o", "OUT"], "out.sdf", one_file, titles),
        "prepare": Verb(["prepare", "made.smi", "-n", "4", "-o", "OUT"], "out.parquet", one_file, names),
        "train": Verb(train, "out", models, steps),
    }


def _try_verb(name: str, verb: Verb, options: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(f"{name} {options.seed}")
    whole = Path("whole") / verb.output
    for folder in ("warm", "whole"):
        Path(folder).mkdir()
    # The first time, Python itself has more to open.
    _undisturbed(verb, Path("warm") / verb.output)
    start = time.monotonic()
    operations = _undisturbed(verb, whole)
    seconds = time.monotonic() - start
    expected, rows = verb.content(whole), Counter(verb.rows(whole))
    whole.parent.rename(f"whole_{name}")
    Path("warm").rename(f"warm_{name}")
    kills, completed, lost, doubled, differing, failed = 0, 0, 0, 0, 0, 0
    while kills < options.kills:
        output = Path(f"{name}{completed}") / verb.output
        output.parent.mkdir()
        while (status := _disturbed(verb, output, chance, seconds, operations)) < 0:
            kills += 1
            if name != "train" and output.exists() and verb.content(output) != expected:
                differing += 1
        failed += status != 0
        completed += 1
        found = Counter(verb.rows(output)) if output.exists() else Counter()
        lost += (rows - found).total()
        doubled += (found - rows).total()
        left = [path.name for path in output.parent.iterdir() if path != output]
        differing += not output.exists() or verb.content(output) != expected or bool(left)
        print(f"{name}: {kills} kills, {completed} runs completed", file=sys.stderr)
    return {
        "verb": name,
        "kills": kills,
        "runs completed": completed,
        "runs that differ": differing + failed,
        "rows": rows.total(),
        "rows lost": lost,
        "rows doubled": doubled,
    }


def _undisturbed(verb: Verb, output: Path) -> int:
    """Runs to the end; returns the number of operations on files."""
    reading, writing = os.pipe()
    child = _fork(verb, output, None, writing)
    os.close(writing)
    counted = os.read(reading, 100)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"{verb.arguments}: failed undisturbed: {Path('log').read_text()}")
    return int(counted)


def _disturbed(verb: Verb, output: Path, chance: random.Random, seconds: float, operations: int) -> int:
    """Runs, perhaps until it is killed; returns -1 then, else the exit status."""
    by_operation = chance.random() < 0.5
    at = chance.randrange(1, operations + 1) if by_operation else None
    child = _fork(verb, output, at)
    status = _wait(child, float("inf") if by_operation else chance.uniform(0, seconds))
    if os.WIFSIGNALED(status):
        return -1
    if status:
        print(Path("log").read_text(), file=sys.stderr)
    return status


def _wait(child: int, seconds: float) -> int:
    """Waits for a process, and kills it when the time is over; returns how it ended."""
    end = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1]
        time.sleep(0.001)


def _fork(verb: Verb, output: Path, kill_at: int | None, report_to: int | None = None) -> int:
    child = os.fork()
    if child:
        return child
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    count = 0

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in FILE_OPERATIONS:
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(on_event)
    arguments = [str(output) if each == "OUT" else each for each in verb.arguments]
    status = 1
    try:
        app([*arguments, "--resume"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        if report_to is not None:
            os.write(report_to, str(count).encode())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    Chem.MolFromSmiles("C")
    main()
