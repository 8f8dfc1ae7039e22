"""`molae embed`."""

from __future__ import annotations

from molae.cli.options import (
    BatchSize,
    Device,
    DeviceOption,
    Engine,
    EngineOption,
    IdColumn,
    Input,
    Model,
    NumWorkers,
    OnError,
    OnErrorOption,
    Output,
    Precision,
    PrecisionOption,
    Quiet,
    Resume,
    Seed,
    ShardOption,
    SmilesColumn,
    Verbose,
)


def embed(
    input: Input,
    output: Output,
    model: Model = "molecule",
    smiles_column: SmilesColumn = None,
    id_column: IdColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.float32,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    on_error: OnErrorOption = OnError.keep,
    shard: ShardOption = None,
    engine: EngineOption = Engine.local,
    resume: Resume = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Turn molecules, or graphs, into vectors.

    Writes the input's columns with status, error and embedding (float32) to .parquet or .csv, or the vectors
    to .npy or .npz. Molecules without 3D coordinates get a conformer, unless
    the model does without.
    """
    from molae.apps.files import embed_file
    from molae.apps.rows import Source, parse_shard
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    source = Source(input, smiles_column, id_column, num_workers, seed, parse_shard(shard), engine.value)
    with terminal.progress("embedding") as progress:
        summary = embed_file(
            source,
            output,
            model,
            batch_size=batch_size,
            device=device.value,
            precision=precision.value,
            on_error=on_error.value,
            resume=resume,
            progress=progress,
        )
    terminal.conclude(summary, output)
