"""Feeds malformed and hostile inputs to everything that reads: none may crash it, or hang it.

Good inputs are mutated: bytes flipped, cut out, doubled and swapped with those of other inputs, numbers
replaced by extreme ones, values of JSON and TOML by others. What reads them may succeed, or raise molae's
own errors, which name what is wrong; any other exception is counted as a crash, as is the end of the
process; more than `--limit` seconds for one input is a hang. Inputs follow from the seed and their number
alone: `--kinds KIND --first NUMBER --tries 1` shows one again.

    python fuzz.py --tries 100000
    python fuzz.py --kinds smiles sdf --tries 1000000 --seed 1

The inputs are files, so most of the time is the disk's: with TMPDIR=/dev/shm there are several times as many.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rdkit import Chem, RDLogger
from rdkit.Chem import rdDepictor
from report import parser, publish

from molae.apps.conformers.isomers import read_whole
from molae.apps.molecules import as_source, molecule_schema, try_read
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.checkpoint import load_checkpoint, save_checkpoint
from molae.errors import MolaeError, RowError
from molae.io import open_rows
from molae.training import read_config

SMILES = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[C@H](N)C(=O)O.[Na+].[Cl-]",
    "F/C=C/C#N",
    "[13CH3][N+](C)(C)CC(=O)[O-]",
    "C1CC2CCC1C2",
    "c1ccc2[nH]ccc2c1",
    "O=S(=O)(N)c1ccc(cc1)n1nc(cc1)C(F)(F)F",
    "[Fe+2].C%12CCCC%12",
    "C[Si](C)(C)OB(O)O |r,&1:1|",
    "[2H]C([2H])([2H])P(=O)(O)O",
)
CONFIG = """[model]
code_size = 16
encoder = {name = "slots", width = 16}
loss = {position = 2.0}
[data]
coordinates = true
[training]
steps = 60
precision = "32-true"
betas = [0.9, 0.98]
[augment]
mutate = 0.1
"""
TOKENS = (*"()[]=#@@/\\.%0123456789+-:~$*|&", "[nH]", "Cl", "[C@@H]", "%99", "c1", "[Og]", "[U+9]", "é", "\0")
SCHEMA = molecule_schema(50, coordinates=False)
EXTREME = (0, -1, 255, 256, 2**31 - 1, 2**31, 2**63, 10**30, -(2**63), 1e308, float("inf"), float("nan"))


def main() -> None:
    """Feeds every kind, and prints."""
    options = _parser().parse_args()
    options.json = options.json and options.json.absolute()
    torch.set_num_threads(options.threads)
    RDLogger.DisableLog("rdApp.*")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare()
        rows = [_feed_all(kind, options) for kind in options.kinds]
    rows.append(
        {"kind": "all"} | {name: sum(row[name] for row in rows) for name in rows[0] if name != "kind"}
    )
    publish(rows, options)
    if rows[-1]["crashes"] or rows[-1]["hangs"]:
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    made = parser(__doc__)
    made.add_argument("--tries", type=int, default=1000, help="inputs of each kind (default 1000)")
    made.add_argument("--first", type=int, default=0, help="number of the first input (default 0)")
    made.add_argument("--limit", type=float, default=10.0, help="seconds that make a hang (default 10)")
    made.add_argument("--minutes", type=float, help="end a kind after so many minutes")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    return made


def prepare() -> None:
    """Good files to mutate."""
    mols = [Chem.MolFromSmiles(smiles.split()[0]) for smiles in SMILES]
    for mol in mols:
        rdDepictor.Compute2DCoords(mol)
    blocks = [Chem.MolToMolBlock(mol) for mol in mols] + [Chem.MolToV3KMolBlock(mols[0])]
    for number, (one, other) in enumerate(pairwise(blocks)):
        records = "".join(f"{block}> <id>\nm\n\n$$$$\n" for block in (one, other))
        Path(f"in{number}.sdf").write_text(records)
    for number, some in enumerate(pairwise(SMILES)):
        Path(f"in{number}.csv").write_text('id,smiles,x\n"a ""b""",' + ",1\nb,".join(some) + ",2\n")
    Path("in.g6").write_text(">>graph6<<Bw\nDQc\nEEh_\nI?LCZ_@oo\n~?@c" + "?" * 30 + "\n")
    structures = {
        "atomic_numbers": [[6, 8], [1]],
        "positions": [[0.0] * 6, [0.0] * 3],
        "bonds": [[0, 1, 2], []],
        "formal_charges": [[0, 0], [0]],
    }
    pq.write_table(pa.table({"smiles": list(SMILES), "id": list(SMILES)}), "smiles.parquet")
    pq.write_table(pa.table(structures), "structures.parquet", compression="none")
    torch.manual_seed(0)
    tower = {"name": "slots", "width": 8, "head_width": 8, "head_depth": 1}
    config = AutoencoderConfig(code_size=16, encoder=tower, decoder=tower | {"pair_width": 8})
    save_checkpoint(Autoencoder(config, molecule_schema(8)), Path("model"))


# --- kinds: each makes an input of a random source and reads it ------------------------------------------


def _smiles(chance: random.Random) -> None:
    text = list(chance.choice(SMILES))
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(text) + 1)
        other = chance.choice(SMILES)
        cut = sorted(chance.randrange(len(other) + 1) for _ in range(2))
        change = chance.choice(
            (list(other[cut[0] : cut[1]]), [chance.choice(TOKENS)] * chance.choice((1, 1, 1, 50)))
        )
        text[place : place + chance.randrange(4)] = change
    source = "".join(text)
    check_row(try_read(source, SCHEMA))
    if chance.random() < 0.1:
        read_whole(source)


def _sdf(chance: random.Random) -> None:
    read_file(Path("fuzz.sdf"), _mutated(_good(f"in{chance.randrange(10)}.sdf"), chance))


def _table(chance: random.Random) -> None:
    suffix = chance.choice((".csv", ".smi", ".tsv", ".txt", ".csv.gz"))
    read_file(Path(f"fuzz{suffix}"), _mutated(_good(f"in{chance.randrange(9)}.csv"), chance))


def _graph6(chance: random.Random) -> None:
    read_file(Path("fuzz.g6"), _mutated(_good("in.g6"), chance))


def _parquet(chance: random.Random) -> None:
    if chance.random() < 0.5:
        good = _good(chance.choice(("smiles.parquet", "structures.parquet")))
        read_file(Path("fuzz.parquet"), _mutated(good, chance))
        return
    # A sound file of unsound structures.
    integers = [0, 1, 2, 3, 6, 8, 92, 118, 119, -1, None, 2**31, -(2**40)]
    rows = {
        name: [[chance.choice(integers) for _ in range(chance.randrange(8))] for _ in range(4)]
        for name in ("atomic_numbers", "bonds", "formal_charges")
    }
    rows["positions"] = [
        [chance.choice((0.0, 1e30, float("nan"), float("inf"), None)) for _ in range(chance.randrange(12))]
        for _ in range(4)
    ]
    pq.write_table(pa.table(rows), "fuzz.parquet")
    read_file(Path("fuzz.parquet"))


def _checkpoint(chance: random.Random) -> None:
    folder = Path("fuzzed")
    folder.mkdir(exist_ok=True)
    description = json.loads(_good("model/config.json"))
    weights = {name: _good(f"model/{name}") for name in description["weights"]}
    if chance.random() < 0.5:
        name = chance.choice(list(weights))
        weights[name] = _mutated(weights[name], chance, head=2000)
        # As one who means harm would: with the right checksum.
        description["weights"][name] = hashlib.sha256(weights[name]).hexdigest()
    else:
        for _ in range(chance.randint(1, 3)):
            _replace_value(description, chance)
    for name, content in weights.items():
        (folder / name).write_bytes(content)
    text = json.dumps(description).encode()
    (folder / "config.json").write_bytes(_mutated(text, chance) if chance.random() < 0.2 else text)
    load_checkpoint(folder)


def _config(chance: random.Random) -> None:
    path = Path("fuzz.toml")
    path.write_bytes(_mutated(CONFIG.encode(), chance))
    read_config(path)


KINDS: dict[str, Callable[[random.Random], None]] = {
    "smiles": _smiles,
    "sdf": _sdf,
    "table": _table,
    "graph6": _graph6,
    "parquet": _parquet,
    "checkpoint": _checkpoint,
    "config": _config,
}


@cache
def _good(name: str) -> bytes:
    return Path(name).read_bytes()


def read_file(path: Path, content: bytes | None = None) -> None:
    if content is not None:
        path.write_bytes(content)
    with open_rows(path, chunk_size=4) as reader:
        for chunk in reader:
            for row in chunk.rows:
                if row.graph is None:
                    check_row(try_read(as_source(row), SCHEMA))


class UnexpectedError(Exception):
    """An error of RDKit that nobody foresaw, though the row failed as it should."""


def check_row(read: object) -> None:
    if isinstance(read, RowError) and read.kind == "unexpected":
        raise UnexpectedError(read.reason)


def _mutated(content: bytes, chance: random.Random, head: int | None = None) -> bytes:
    """A few changes anywhere, or in the first `head` bytes."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 5)):
        end = min(len(found), head or len(found))
        place, length = chance.randrange(end + 1), chance.choice((1, 1, 2, 4, 8, 40))
        how = chance.randrange(6)
        if how == 0 and place < len(found):
            found[place] ^= 1 << chance.randrange(8)
        elif how == 1:
            del found[place : place + length]
        elif how == 2:
            found[place:place] = found[place : place + length] * chance.choice((1, 2, 100))
        elif how == 3:
            found[place : place + length] = chance.randbytes(length)
        elif how == 4:
            number = chance.choice(EXTREME)
            packed = (
                struct.pack("<q", max(min(int(number), 2**63 - 1), -(2**63)))
                if number == number and abs(number) < 1e300
                else b"\xff" * 8
            )
            found[place : place + length] = chance.choice((packed, str(number).encode()))
        else:
            other = chance.randrange(end + 1)
            found[place : place + length] = found[other : other + length]
    return bytes(found[: 1 << 20])


def _replace_value(tree: Any, chance: random.Random) -> None:
    """Replaces a value somewhere in a tree of JSON."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key = chance.choice(keys)
        if isinstance(tree[key], dict | list) and tree[key] and chance.random() < 0.8:
            tree = tree[key]
            continue
        # Sizes beyond reason are left to the checks of the memory that they would take.
        values = (
            "",
            "../../etc/passwd",
            "slots",
            None,
            [],
            {},
            True,
            -1,
            0,
            3.5,
            "x" * 1000,
            [[1]],
            {"name": "slots"},
        )
        tree[key] = chance.choice(values)
        return


# --- feeding, in processes that may be lost --------------------------------------------------------------


def _feed_all(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    place = mmap.mmap(-1, 8)
    last = options.first + options.tries
    number, crashes, hangs = options.first, 0, 0
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + 60 * (options.minutes or 1e9)
    while number < last and time.monotonic() < end:
        until = min(number + 2000, last)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _feed(kind, number, until, options, place, writing)
        os.close(writing)
        with os.fdopen(reading) as stream:
            outcomes.update(json.loads(line) for line in stream)
        _, status = os.waitpid(child, 0)
        number = until
        if status:
            number = struct.unpack("<q", place[:8])[0] + 1
            hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
            hangs += hung
            crashes += not hung
            print(
                f"{kind} {number - 1}: {'hangs' if hung else f'ends with status {status}'}", file=sys.stderr
            )
    crashes += outcomes["crash"]
    return {
        "kind": kind,
        "tried": number - options.first,
        "read": outcomes["read"],
        "refused": outcomes["refused"],
        "rows failed by errors of RDKit's": outcomes["unexpected"],
        "crashes": crashes,
        "hangs": hangs,
    }


def _feed(kind: str, start: int, end: int, options: argparse.Namespace, place: mmap.mmap, pipe: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with os.fdopen(pipe, "w", buffering=1) as stream:
        for number in range(start, end):
            place[:8] = struct.pack("<q", number)
            signal.setitimer(signal.ITIMER_REAL, options.limit)
            outcome = "read"
            try:
                KINDS[kind](random.Random(f"{kind} {options.seed} {number}"))
            except MolaeError:
                outcome = "refused"
            except UnexpectedError as error:
                outcome = "unexpected"
                print(f"{kind} {number}: {error}", file=sys.stderr)
            except BaseException:
                outcome = "crash"
                print(f"{kind} {number}:\n{traceback.format_exc()}", file=sys.stderr)
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(json.dumps(outcome), file=stream)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
