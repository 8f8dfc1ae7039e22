"""Feeds the readers with inputs that grow towards code not yet reached; none may crash them, or hang them.

Atheris (`pip install atheris`, libFuzzer for Python) keeps each input that reaches new branches of molae, and
mutates those further; `fuzz.py` has the inputs it begins with. Any exception that is none of molae's own, the
end of the process, and more than `--limit` seconds for one input are found; the input is then kept in
`--findings`, and the rest of the tries goes on with another seed.

    python fuzz_coverage.py --tries 100000
    python fuzz_coverage.py --kinds sdf config --tries 1000000 --seed 1
    python fuzz_coverage.py --kinds sdf --show findings/sdf/crash-0123456789abcdef
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["molae", "tomllib"]):
    import fuzz

    from molae.checkpoint import load_checkpoint
    from molae.errors import MolaeError
    from molae.io.ensembles import ensemble_columns, ensemble_metadata, read_ensembles
    from molae.training import read_config

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rdkit import RDLogger
from report import parser, publish

from molae.apps.molecules import try_read
from molae.io.ensembles import StoredEnsemble, to_fixed_point

_HANG = 70  # libFuzzer's exit status
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_STATUS = re.compile(r"^#(\d+)\s.*?\bcov: (\d+) .*?corp: (\d+)", re.MULTILINE)


def main() -> None:
    """Feeds every kind, each in processes of its own, and prints."""
    options = _parser().parse_args()
    options.json = options.json and options.json.absolute()
    options.findings = options.findings.absolute()
    torch.set_num_threads(options.threads)
    RDLogger.DisableLog("rdApp.*")
    if options.child:
        _fuzz(options.child, options)
    script = Path(__file__).absolute()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        fuzz.prepare()
        _prepare()
        if options.show:
            for kind in options.kinds:
                READERS[kind](options.show.read_bytes())
            return
        rows = [_feed_all(script, kind, options) for kind in options.kinds]
    total = {name: sum(row[name] for row in rows) for name in rows[0] if name != "kind"}
    publish([*rows, {"kind": "all"} | total], options)
    if total["crashes"] or total["hangs"]:
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    made = parser(__doc__)
    made.add_argument("--tries", type=int, default=10_000, help="inputs of each kind (default 10000)")
    made.add_argument("--limit", type=int, default=10, help="seconds that make a hang (default 10)")
    made.add_argument("--minutes", type=float, default=1e6, help="end a kind after so many minutes")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--kinds", nargs="+", default=list(READERS), choices=list(READERS))
    made.add_argument("--findings", type=Path, default=Path("findings"), help="folder of what was found")
    made.add_argument("--show", type=Path, help="read this input again, and nothing else")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


# --- kinds: the files to begin with, and what reads a file of them ---------------------------------------


def _prepare() -> None:
    ensemble = StoredEnsemble("[H]O[H]", to_fixed_point(np.zeros((2, 3, 3))), np.array([0.0, 1.0]), "x", 3)
    table = pa.table(ensemble_columns([None, ensemble], [1, 2], ["bad", None]))
    pq.write_table(table.replace_schema_metadata(ensemble_metadata({})), "ensembles.parquet")
    Path("edges.csv").write_text("graph,source,target\na,0,1\na,1,2\nb,x,y\n")
    Path("in.toml").write_text(fuzz.CONFIG)
    for number, smiles in enumerate(fuzz.SMILES):
        Path(f"{number}.smiles").write_text(smiles)


def _smiles(content: bytes) -> None:
    fuzz.check_row(try_read(content.decode("latin-1"), fuzz.SCHEMA))


def _ensembles(content: bytes) -> None:
    Path("fuzz.parquet").write_bytes(content)
    for _ in read_ensembles("fuzz.parquet"):
        pass


def _config(content: bytes) -> None:
    Path("fuzz.toml").write_bytes(content)
    read_config(Path("fuzz.toml"))


def _checkpoint(content: bytes) -> None:
    _load({"config.json": content})


def _weights(content: bytes) -> None:
    description = json.loads(Path("model/config.json").read_text())
    (name,) = description["weights"]
    # As one who means harm would: with the right checksum.
    description["weights"] = {name: hashlib.sha256(content).hexdigest()}
    _load({name: content, "config.json": json.dumps(description).encode()})


def _load(changed: dict[str, bytes]) -> None:
    folder = Path("fuzzed")
    folder.mkdir(exist_ok=True)
    for path in Path("model").iterdir():
        (folder / path.name).write_bytes(changed.get(path.name) or path.read_bytes())
    load_checkpoint(folder)


def _as_file(suffix: str) -> Callable[[bytes], None]:
    return partial(fuzz.read_file, Path(f"fuzz{suffix}"))


READERS: dict[str, Callable[[bytes], None]] = {
    "smiles": _smiles,
    "smi": _as_file(".smi"),
    "csv": _as_file(".csv"),
    "sdf": _as_file(".sdf"),
    "g6": _as_file(".g6"),
    "parquet": _as_file(".parquet"),
    "ensembles": _ensembles,
    "config": _config,
    "checkpoint": _checkpoint,
    "weights": _weights,
}
SEEDS = {
    "smiles": "*.smiles",
    "smi": "in*.csv",
    "csv": "*.csv",
    "sdf": "in*.sdf",
    "g6": "in.g6",
    "parquet": "s*.parquet",
    "ensembles": "ensembles.parquet",
    "config": "in.toml",
    "checkpoint": "model/config.json",
    "weights": "model/*.safetensors",
}


# --- feeding, in processes that may be lost --------------------------------------------------------------


def _feed_all(script: Path, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    corpus = Path(f"corpus_{kind}")
    corpus.mkdir()
    for number, path in enumerate(sorted(Path().glob(SEEDS[kind]))):
        (corpus / str(number)).write_bytes(path.read_bytes())
    findings = options.findings / kind
    findings.mkdir(parents=True, exist_ok=True)
    tried, branches, kept, crashes, hangs, seed = 0, 0, 0, 0, 0, options.seed
    while tried < options.tries and crashes + hangs < 20:
        command = [sys.executable, str(script), "--child", kind, "--findings", str(findings)]
        command += ["--tries", str(options.tries - tried), "--seed", str(seed), "--limit", str(options.limit)]
        command += ["--minutes", str(options.minutes), "--threads", str(options.threads)]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace")
        states = _STATUS.findall(ended.stderr)
        executed = _EXECUTED.findall(ended.stderr)
        if not states and not executed:
            sys.exit(f"{kind}: cannot be fed: {ended.stderr[-2000:]}")
        tried += int(executed[-1]) if executed else int(states[-1][0])
        if states:
            branches, kept = max(branches, int(states[-1][1])), int(states[-1][2])
        if ended.returncode == 0:
            break
        hangs += ended.returncode == _HANG
        crashes += ended.returncode != _HANG
        seed += 1_000_003
        print(f"{kind}: {ended.stderr[-3000:]}", file=sys.stderr)
    return {
        "kind": kind,
        "tried": tried,
        "branches reached": branches,
        "inputs kept": kept,
        "crashes": crashes,
        "hangs": hangs,
    }


def _fuzz(kind: str, options: argparse.Namespace) -> None:
    """Feeds a kind in the folder at hand, and ends the process."""
    read = READERS[kind]

    def read_one(content: bytes) -> None:
        with suppress(MolaeError, fuzz.UnexpectedError):
            read(content)

    # What is imported with the first input takes long, and is no hang.
    read_one(next(iter(sorted(Path(f"corpus_{kind}").iterdir()))).read_bytes())
    arguments = [sys.argv[0], f"-runs={options.tries}", f"-seed={options.seed + 1}", "-print_final_stats=1"]
    arguments += [f"-timeout={options.limit}", f"-artifact_prefix={options.findings}/", "-max_len=16384"]
    arguments += [f"-max_total_time={int(60 * options.minutes)}", "-rss_limit_mb=8192", f"corpus_{kind}"]
    atheris.Setup(arguments, read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
