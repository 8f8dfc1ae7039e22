"""`molae reconstruct`."""

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
    Quiet,
    Resume,
    Seed,
    ShardOption,
    SmilesColumn,
    Verbose,
)


def reconstruct(
    input: Input,
    output: Output,
    model: Model = "molecule",
    smiles_column: SmilesColumn = None,
    id_column: IdColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    on_error: OnErrorOption = OnError.keep,
    shard: ShardOption = None,
    engine: EngineOption = Engine.local,
    resume: Resume = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Turn molecules into vectors and back, and compare.

    Writes the input's columns with status, error, reconstructed_smiles, exact (the same molecule, stereo
    included) and rmsd (of the heavy atoms, as posed by the model, in angstrom) to .parquet or .csv.
    """
    from molae.apps.files import reconstruct_file
    from molae.apps.rows import Source, parse_shard
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    source = Source(input, smiles_column, id_column, num_workers, seed, parse_shard(shard), engine.value)
    with terminal.progress("reconstructing") as progress:
        summary = reconstruct_file(
            source,
            output,
            model,
            batch_size=batch_size,
            device=device.value,
            on_error=on_error.value,
            resume=resume,
            progress=progress,
        )
    terminal.conclude(summary, output)
