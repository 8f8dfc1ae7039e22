"""`molae bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molae.cli.options import (
    BatchSize,
    Device,
    DeviceOption,
    Model,
    Precision,
    PrecisionOption,
    SmilesColumn,
)

if TYPE_CHECKING:
    from molae.apps.bench import Bench


def bench(
    input: Annotated[
        str | None,
        typer.Argument(
            metavar="[INPUT]", help="Molecules to measure with, as for `molae embed`; else some drugs."
        ),
    ] = None,
    model: Model = "graph",
    molecules: Annotated[
        int | None, typer.Option("--molecules", metavar="N", min=1, help="Estimate what N molecules take.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", help="About how long to measure.")] = 20.0,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to a file, too.")
    ] = None,
    smiles_column: SmilesColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.float32,
) -> None:
    """Measure what this machine does in a second, to plan a run.

    Prints molecules a second on one core, for each stage of `molae embed` (featurise has the parser in it,
    and the conformer where the model takes one) and for one conformer each, by the size of the molecules.
    """
    from molae.apps.bench import bench as measure
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose=False, quiet=False)
    source = None if input is None else Source(input, smiles_column)
    terminal.say(f"measuring for about {seconds:g} s")
    found = measure(
        source,
        model,
        seconds=seconds,
        batch_size=batch_size,
        device=device.value,
        precision=precision.value,
    )
    _show(found, molecules)
    if json is not None:
        from json import dumps

        from molae.io import atomic_path

        with atomic_path(json) as temporary:
            temporary.write_text(dumps(found.report(molecules), indent=2) + "\n")


def _show(found: Bench, molecules: int | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from molae.apps.bench import STAGES

    where = f"on {found.device} in {found.precision}"
    title = f"molecules a second: model {found.model}, {found.code_size} numbers, {where}"
    table = Table(title=title, title_justify="left")
    table.add_column("heavy atoms")
    for stage in (*STAGES, "embed, in all"):
        table.add_column(stage, justify="right")
    for size, spent in found.seconds.items():
        rates = [1 / spent[stage] for stage in STAGES] + [1 / found.embed_seconds(size)]
        table.add_row(size, *map(_rounded, rates))
    console = Console()
    console.print(table)
    console.print(f"{found.heavy_atoms:.1f} heavy atoms on average; {_rounded(found.bytes)} bytes a row")
    if molecules is not None:
        needed = {name: _rounded(value) for name, value in found.estimate(molecules).items()}
        console.print(
            f"{molecules:,} molecules like these: {needed['embed_core_hours']} core-hours to embed"
            f" ({needed['embed_hours']} h with a shard on each of {found.cores} cores),"
            f" {needed['gigabytes']} GB of Parquet;"
            f" {needed['conformers_core_hours']} core-hours for a conformer of each"
        )


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
