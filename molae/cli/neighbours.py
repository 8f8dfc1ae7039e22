"""`molae neighbours`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from molae.cli.options import (
    BatchSize,
    Codes,
    CodesModel,
    Device,
    DeviceOption,
    IdColumn,
    NumWorkers,
    OnError,
    OnErrorOption,
    Output,
    Quiet,
    Seed,
    SmilesColumn,
    Verbose,
)


class MetricName(StrEnum):
    """What near means."""

    cosine = "cosine"
    euclidean = "euclidean"


class SearchName(StrEnum):
    """How neighbours are found."""

    auto = "auto"
    exact = "exact"
    indexed = "index"


def neighbours(
    query: Annotated[
        str,
        typer.Argument(metavar="QUERY", help="Molecules, as for `molae embed`, or a file of codes."),
    ],
    codes: Codes,
    output: Output,
    count: Annotated[int, typer.Option("-k", min=1, help="Neighbours of each query.")] = 5,
    metric: Annotated[
        MetricName, typer.Option("--metric", help="Distance between codes.")
    ] = MetricName.cosine,
    search: Annotated[
        SearchName,
        typer.Option(
            "--search",
            help="exact; index (faiss, approximate); auto: index above 100000 codes and 1000 queries.",
        ),
    ] = SearchName.auto,
    model: CodesModel = None,
    smiles_column: SmilesColumn = None,
    id_column: IdColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    on_error: OnErrorOption = OnError.keep,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Find the nearest neighbours of molecules among codes.

    Writes a row for each neighbour: the query, rank, distance, and the columns of the codes. Queries are
    embedded by the model of the codes. With one file as both, no row is its own neighbour.
    """
    from molae.apps.explore.neighbours import neighbours_file
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    with terminal.progress("searching") as progress:
        summary = neighbours_file(
            Source(query, smiles_column, id_column, num_workers, seed),
            codes,
            output,
            count,
            metric=metric.value,
            search=search.value,
            model=model,
            batch_size=batch_size,
            device=device.value,
            on_error=on_error.value,
            progress=progress,
        )
    terminal.conclude(summary, output)
