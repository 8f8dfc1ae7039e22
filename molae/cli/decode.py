"""`molae decode`."""

from __future__ import annotations

from typing import Annotated

import typer

from molae.cli.options import (
    BatchSize,
    Codes,
    Device,
    DeviceOption,
    OnError,
    OnErrorOption,
    Output,
    Quiet,
    Verbose,
)


def decode(
    codes: Codes,
    output: Output,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|PATH",
            help="Model that made the codes; Parquet files name it themselves.",
        ),
    ] = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    on_error: OnErrorOption = OnError.keep,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Turn vectors back into molecules.

    Writes the columns beside the codes, decoded_smiles, status and error to .csv or .parquet; or the valid
    SMILES alone to .smi. Nothing is repaired: what is no valid molecule is counted as failed.
    """
    from molae.apps.decode import decode_file
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    with terminal.progress("decoding") as progress:
        summary = decode_file(
            codes,
            output,
            model,
            batch_size=batch_size,
            device=device.value,
            on_error=on_error.value,
            progress=progress,
        )
    terminal.conclude(summary, output)
