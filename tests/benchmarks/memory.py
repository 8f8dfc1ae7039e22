"""Peak memory of `molae embed` by the number of rows: it must not grow with the file.

Each run is a process of its own. After every chunk it notes the memory that is resident (as the system
counts it), and what of it Arrow's pool holds. With `--no-model` the vectors are random numbers, so that
millions of rows pass through the reader, the parts and the writer in minutes: the model's own memory is the
same in every chunk.

    python memory.py --rows 20000 100000
    python memory.py --rows 100000 10000000 --no-model
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from report import parser, publish

MEGABYTE = 1 << 20


def main() -> None:
    """Runs every size, and prints."""
    options = _parser().parse_args()
    if options.child:
        _embed(options)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = [_measure(count, Path(folder), options) for count in options.rows]
    for row in rows:
        row["peak against the first"] = row["peak MB"] / rows[0]["peak MB"]
    publish(rows, options)


def _parser() -> argparse.ArgumentParser:
    made = parser(__doc__)
    made.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000])
    made.add_argument("--model", default="graph")
    made.add_argument("--no-model", action="store_true", help="random vectors in the place of codes")
    made.add_argument("--suffix", default=".parquet", help="format of the output (default .parquet)")
    made.add_argument("--folder", type=Path, help="where the files go; else where temporary ones do")
    made.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return made


def _measure(count: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    source = folder / "in.smi"
    _write(source, count)
    command = [sys.executable, __file__, "--child", str(source), "--model", options.model]
    command += ["--suffix", options.suffix, "--threads", str(options.threads)]
    command += ["--no-model"] if options.no_model else []
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
    source.unlink()
    return {"rows": count, **json.loads(found.stdout.splitlines()[-1])}


def _write(path: Path, count: int) -> None:
    """Molecules of one size, no two names alike, so that nothing can be shared."""
    chance = random.Random(0)
    pieces = ("C", "CC", "CO", "CN", "C(C)", "C(O)", "C(=O)N", "c1ccccc1", "C(F)")
    with path.open("w") as file:
        for number in range(count):
            file.write(f"{''.join(chance.choices(pieces, k=6))} molecule-{number}\n")


def _embed(options: argparse.Namespace) -> None:
    """Embeds the file in this process, and prints what memory that took."""
    import numpy as np
    import pyarrow as pa
    import torch

    from molae.apps import files
    from molae.apps.rows import Source
    from molae.io import PartStore

    torch.set_num_threads(options.threads)
    if options.no_model:
        chance = np.random.default_rng(0)

        def random_codes(model: Any, read: list[Any], *options: Any) -> tuple[np.ndarray, list[None]]:
            return chance.random((len(read), 512), dtype=np.float32), [None] * len(read)

        files.embed_read = random_codes
        # Rows of the input go through, molecules are not made of them.
        files.try_embeddable = _no_sample
    resident: list[int] = []
    original = PartStore.write

    def write(self: PartStore, *arguments: Any) -> None:
        original(self, *arguments)
        resident.append(_resident())

    PartStore.write = write
    output = options.child.with_suffix(options.suffix)
    files.embed_file(Source(options.child), output, options.model, device="cpu")
    quarter = max(len(resident) // 4, 1)
    first, last = resident[:quarter], resident[-quarter:]
    print(
        json.dumps(
            {
                "peak MB": _peak() / MEGABYTE,
                "first quarter MB": sum(first) / len(first) / MEGABYTE,
                "last quarter MB": sum(last) / len(last) / MEGABYTE,
                "after joining MB": _resident() / MEGABYTE,
                "Arrow's peak MB": (pa.default_memory_pool().max_memory() or 0) / MEGABYTE,
            }
        )
    )


def _no_sample(source: Any, schema: Any, seed: int, ranked: bool) -> Any:
    from molae.apps.samples import Sample

    return Sample(None, ())


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
