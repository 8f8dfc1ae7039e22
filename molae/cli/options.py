"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OnError(StrEnum):
    """What to do about rows that cannot be used."""

    keep = "keep"
    drop = "drop"
    fail = "fail"


class Device(StrEnum):
    """Where the model runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    """Numbers that the model calculates with."""

    float32 = "float32"
    bfloat16 = "bfloat16"


class PriorName(StrEnum):
    """Distributions that are fitted to codes."""

    adapted = "adapted"
    mixture = "mixture"
    autoregressive = "autoregressive"
    normal = "normal"


class Engine(StrEnum):
    """What does the work."""

    local = "local"
    ray = "ray"


Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Molecules: .smi .txt .csv .tsv .parquet .sdf, or graphs: .g6, a table of edges (graph, source,"
        " target), a TUDataset folder; a folder of .parquet; files also as .gz; - for standard input.",
    ),
]
CodesModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="Model of the codes, where their file does not tell (Parquet does), or if it moved.",
    ),
]
Codes = Annotated[
    str,
    typer.Argument(
        metavar="CODES",
        help="Codes that `molae embed` wrote: .parquet .csv .csv.gz .npz .npy, or shards.",
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="File to write.")]
SmilesColumn = Annotated[
    str | None,
    typer.Option(
        "-s", "--smiles-column", metavar="NAME", help="Column of SMILES; found by name if not given."
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", metavar="NAME", help="Column of names; found by name if not given."),
]
Model = Annotated[
    str, typer.Option("--model", metavar="NAME|PATH", help="Shipped model, or folder of a trained one.")
]
BatchSize = Annotated[
    int, typer.Option("-b", "--batch-size", min=1, help="Molecules the model takes at once.")
]
DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where the model runs; auto takes a GPU if any.")
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision", help="Numbers that the model calculates with; bfloat16 is faster, and rounds."
    ),
]
NumWorkers = Annotated[
    int, typer.Option("--num-workers", min=0, help="Further processes that read molecules, make conformers.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the conformers.")]
SplitSeed = Annotated[int, typer.Option("--seed", min=0, help="Seed of split, fit and conformers.")]
OnErrorOption = Annotated[
    OnError,
    typer.Option(
        "--on-error", help="Failed rows: keep them with the reason, drop them, or fail at the first."
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Work on the I-th of N parts of the rows, I from 1, as a job of an array.",
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="Work on this machine, or on a Ray cluster (needs ray): an actor a GPU or core, each with"
        " --num-workers processes that read.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what an interrupted run left.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say what happened to every row.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
