"""`molae generate`."""

from __future__ import annotations

from typing import Annotated

import typer

from molae.cli.options import (
    BatchSize,
    Device,
    DeviceOption,
    Model,
    NumWorkers,
    OnError,
    OnErrorOption,
    Output,
    PriorName,
    Quiet,
    SmilesColumn,
    Verbose,
)


def generate(
    output: Output,
    n: Annotated[int, typer.Option("-n", "--molecules", min=1, help="Molecules to draw.")] = 1000,
    model: Model = "graph",
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            metavar="FILE",
            help="Molecules that new ones are to be like; the model's own prior if not given.",
        ),
    ] = None,
    prior: Annotated[
        PriorName | None,
        typer.Option(
            "--prior",
            help="What is fitted to the codes of --like: the model's own prior, adapted to them, or another;"
            " by default adapted, or mixture where the model has none.",
        ),
    ] = None,
    smiles_column: SmilesColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draws.")] = 0,
    on_error: OnErrorOption = OnError.keep,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Draw new molecules from a distribution of codes, and decode them.

    Writes a row for each draw, with smiles, status and error, to .csv or .parquet; or the valid SMILES alone
    to .smi. Nothing is repaired: what is no valid molecule is counted as failed.
    """
    from molae.apps.generate import generate_file
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    with terminal.progress("generating") as progress:
        summary = generate_file(
            n,
            output,
            model,
            None if like is None else Source(like, smiles_column, None, num_workers, seed),
            prior=None if prior is None else prior.value,
            seed=seed,
            batch_size=batch_size,
            device=device.value,
            on_error=on_error.value,
            progress=progress,
        )
    terminal.conclude(summary, output)
