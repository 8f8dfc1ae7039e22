"""`molae predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molae.cli.options import (
    BatchSize,
    Device,
    DeviceOption,
    Engine,
    EngineOption,
    IdColumn,
    Input,
    NumWorkers,
    OnError,
    OnErrorOption,
    Output,
    Quiet,
    Resume,
    ShardOption,
    SmilesColumn,
    Verbose,
)


def predict(
    fitted: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Folder that `molae fit` wrote.")],
    input: Input,
    output: Output,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="PATH", help="Where the molae model of the codes is, if it moved."),
    ] = None,
    smiles_column: SmilesColumn = None,
    id_column: IdColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    on_error: OnErrorOption = OnError.keep,
    shard: ShardOption = None,
    engine: EngineOption = Engine.local,
    resume: Resume = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Predict properties with a model that `molae fit` made.

    Writes the input's columns with status, error and for each target its prediction, the interval (or the
    probability of each class), and the distance to the nearest training molecule (1: as usual among those).
    """
    from molae.apps.properties.predict import predict_file
    from molae.apps.rows import Source, parse_shard
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    shards = parse_shard(shard)
    source = Source(input, smiles_column, id_column, num_workers, shard=shards, engine=engine.value)
    with terminal.progress("predicting") as progress:
        summary = predict_file(
            fitted,
            source,
            output,
            model=model,
            batch_size=batch_size,
            device=device.value,
            on_error=on_error.value,
            resume=resume,
            progress=progress,
        )
    terminal.conclude(summary, output)
