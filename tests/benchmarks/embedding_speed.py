"""Molecules a second from a SMILES file to a Parquet file of codes, stage by stage, beside floors and a peer.

Everything is CPU time of one thread, so that other work on the machine counts little; medians over
`--repeats` turns in which the stages follow one another. The stages are those of `molae embed`:

    read       rows of the file
    featurise  SMILES to sanitised molecules, and these to lines in canonical order
    collate    lines to padded batches of similar size
    encode     batches to codes
    write      codes and columns to Parquet, by way of the parts that a run can resume from

Beside them stand the floors, RDKit's parser alone and the arithmetic of the encoder (its floating-point
operations at the rate of one large matrix product of this machine); and whole processes: `molae embed` and,
with `--chemprop` and `--chemprop-model`, `chemprop fingerprint`, on the file and on its first row, so that
the difference is the rate without the start.

    chemprop train -i any.csv -s smiles --target-columns y --epochs 3 --output-dir peer
    python embedding_speed.py drugs.smi --chemprop chemprop --chemprop-model peer/model_0/best.pt
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from rdkit import Chem
from report import parser, publish
from torch.utils.flop_counter import FlopCounterMode

from molae.apps.chunks import chunk_sources
from molae.apps.embed import batches, to_batches
from molae.apps.loading import open_model
from molae.apps.molecules import chunk_size
from molae.apps.reading import try_embeddable
from molae.apps.rows import Source
from molae.apps.samples import Embeddable
from molae.autoencoder import Autoencoder
from molae.batch.dense import DenseBatch
from molae.chem.quiet import Quiet
from molae.errors import RowError
from molae.io import Chunk, PartStore, matrix_column, outcome

STAGES = ("read", "featurise", "collate", "encode", "write")
PARSER, ARITHMETIC = "floor: RDKit's parser alone", "floor: arithmetic of the encoder"


class Clock:
    """CPU seconds by what they were spent on, one total for each turn."""

    def __init__(self) -> None:
        self._turns: list[dict[str, float]] = []

    def begin_turn(self) -> None:
        self._turns.append(defaultdict(float))

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self._turns[-1][name] += time.process_time() - start

    def median(self, name: str) -> float:
        return statistics.median(turn[name] for turn in self._turns)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    model = open_model(arguments.model, "cpu", kind="molecules")
    if model.schema.coordinates:
        sys.exit(f"{arguments.model} takes conformers, which are most of its time: name another model")
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        source = _first_rows(arguments.file, arguments.limit, Path(folder) / "in.smi")
        for _ in range(arguments.repeats):
            clock.begin_turn()
            count, operations = run_stages(model, source, Path(folder) / "out.parquet", arguments, clock)
        processes = measure_processes(source, Path(folder), count, arguments)
    seconds = {name: clock.median(name) for name in (*STAGES, PARSER)}
    rate = matrix_rate(arguments.repeats)
    seconds["all stages"] = sum(seconds[name] for name in STAGES)
    seconds[ARITHMETIC] = operations / rate
    rows = [
        _row(name, count / spent, seconds[PARSER] / spent) for name, spent in (seconds | processes).items()
    ]
    facts = {"molecules": count, "operations per molecule": operations / count, "operations per second": rate}
    publish(rows, arguments, **facts)
    print(f"{count} molecules; {operations / count / 1e6:.1f} M operations each, {rate / 1e9:.0f} G a second")


def run_stages(
    model: Autoencoder, source: Path, output: Path, arguments: argparse.Namespace, clock: Clock
) -> tuple[int, float]:
    """Embeds a file stage by stage; returns the number of molecules and of floating-point operations."""
    count, operations = 0, 0.0
    reader = partial(try_embeddable, ranked=model.encoder.reads_ranks)
    with PartStore(output, source, {}) as store:
        for index, chunk in enumerate(_chunks(source, model, clock)):
            with clock.measure(PARSER):
                # Freed one by one, as when they are read: many at once would be a burden to the next stage.
                for row in chunk.rows:
                    Chem.MolFromSmiles(row.smiles or "")
            sources = chunk_sources(chunk)
            # Quiet, as workers are.
            with clock.measure("featurise"), Quiet():
                read = [reader(each, model.schema) for each in sources]
            with clock.measure("collate"):
                cut = list(batches(read, arguments.batch_size))
                ordered = [each for _, molecules in cut for each in molecules]
                batched = list(to_batches(model, ordered, arguments.batch_size))
            codes = torch.full((len(read), model.config.code_size), torch.nan)
            reduced = arguments.precision == "bfloat16"
            with (
                torch.inference_mode(),
                torch.autocast("cpu", torch.bfloat16, enabled=reduced),
                clock.measure("encode"),
            ):
                for (places, _), batch in zip(cut, batched, strict=True):
                    codes[places] = model.encode(batch).invariant
            with clock.measure("write"):
                store.write(index, chunk.columns, _columns(read, codes))
            count += len(chunk.rows)
            operations += _count_operations(model, batched)
        with clock.measure("write"):
            store.finish()
    return count, operations


def matrix_rate(repeats: int) -> float:
    """Floating-point operations a second of a large product in single precision."""
    a, b = torch.randn(4096, 512), torch.randn(512, 512)
    rates = []
    for _ in range(10 * repeats):
        start = time.process_time()
        a @ b
        rates.append(2 * a.numel() * len(b) / (time.process_time() - start))
    return statistics.median(rates)


def measure_processes(
    source: Path, folder: Path, count: int, arguments: argparse.Namespace
) -> dict[str, float]:
    """Runs whole processes, molae and the peer in turn; returns their CPU seconds for `count` molecules, with
    the start and without."""
    commands = {"molae embed": _molae_command}
    if arguments.chemprop:
        commands["chemprop fingerprint"] = _chemprop_command
    one = _first_rows(source, 1, folder / "one.smi")
    spent: dict[tuple[str, Path], list[float]] = defaultdict(list)
    for _ in range(arguments.process_repeats):
        for name, command in commands.items():
            for file in (source, one):
                spent[name, file].append(_cpu_seconds(command(file, folder, arguments)))
    seconds = {}
    for name in commands if spent else ():
        whole, start = (statistics.median(spent[name, file]) for file in (source, one))
        seconds[f"{name}, whole process"] = whole
        seconds[f"{name}, without the start"] = (whole - start) * count / (count - 1)
    return seconds


def _cpu_seconds(command: list[str | Path]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _molae_command(file: Path, folder: Path, arguments: argparse.Namespace) -> list[str | Path]:
    call = "from molae.cli import app; app()"
    options = ["--model", arguments.model, "--device", "cpu", "-b", str(arguments.batch_size), "-q"]
    options += ["--precision", arguments.precision]
    return [sys.executable, "-c", call, "embed", file, "-o", folder / "codes.parquet", *options]


def _chemprop_command(file: Path, folder: Path, arguments: argparse.Namespace) -> list[str | Path]:
    table = file.with_suffix(".csv")
    smiles = [line.split()[0] for line in file.read_text().splitlines() if line.strip()]
    table.write_text("\n".join(["smiles", *smiles]) + "\n")
    options: list[str | Path] = ["-s", "smiles", "--model-paths", arguments.chemprop_model]
    options += ["--ffn-block-index", "0", "--accelerator", "cpu", "-o", folder / "fingerprints.csv"]
    return [arguments.chemprop, "fingerprint", "-i", table, *options]


def _chunks(source: Path, model: Autoencoder, clock: Clock) -> Iterator[Chunk]:
    with Source(source).open(chunk_size(model.schema)) as reader:
        chunks = iter(reader)
        while True:
            with clock.measure("read"):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk


def _columns(read: list[Embeddable | RowError], codes: torch.Tensor) -> dict[str, pa.Array]:
    errors = [each if isinstance(each, RowError) else None for each in read]
    return outcome(errors) | {"embedding": matrix_column(codes.numpy(), ~codes.isnan().any(1).numpy())}


def _count_operations(model: Autoencoder, batched: list[DenseBatch]) -> float:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        for batch in batched:
            model.encode(batch)
    return counter.get_total_flops()


def _first_rows(file: Path, limit: int | None, to: Path) -> Path:
    lines = file.read_text(encoding="utf-8").splitlines()[:limit]
    to.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return to


def _row(name: str, rate: float, share: float) -> dict[str, Any]:
    return {"what": name, "molecules/s": rate, "µs a molecule": 1e6 / rate, "share of the parser": share}


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("file", type=Path, help="SMILES file without a header")
    made.add_argument("--model", default="graph", help="a model without conformers (default graph)")
    made.add_argument("--limit", type=int, help="molecules taken, the first of the file")
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    made.add_argument("--repeats", type=int, default=5, help="turns of the stages (default 5)")
    made.add_argument("--process-repeats", type=int, default=3, help="runs of each process (default 3)")
    made.add_argument("--chemprop", help="the command of chemprop, where it is installed")
    made.add_argument("--chemprop-model", help="its trained model")
    return made.parse_args()


if __name__ == "__main__":
    main()
