"""`molae explore`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from molae.cli.options import Codes, CodesModel, IdColumn, Quiet, SmilesColumn, Verbose


class ProjectionName(StrEnum):
    """How codes are brought down to a plane."""

    pca = "pca"
    umap = "umap"


def explore(
    codes: Codes,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Page to write, .html.")],
    color: Annotated[
        str | None,
        typer.Option("--color", metavar="COL", help="Column that colours: numbers on a scale, else groups."),
    ] = None,
    projection: Annotated[
        ProjectionName, typer.Option("--projection", help="umap needs umap-learn.")
    ] = ProjectionName.pca,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Most molecules; of more, a random choice is drawn.")
    ] = 20_000,
    model: CodesModel = None,
    smiles_column: SmilesColumn = None,
    id_column: IdColumn = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of UMAP and of that choice.")] = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Draw codes as a map: one page of HTML, to open in a browser, offline.

    Structures appear under the pointer; the page searches by parts of SMILES and names. Rows without a code
    are left out and counted.
    """
    from molae.apps.explore.maps import map_file
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    with terminal.progress("drawing") as progress:
        summary, facts = map_file(
            codes,
            output,
            color,
            projection=projection.value,
            limit=limit,
            seed=seed,
            model=model,
            smiles_column=smiles_column,
            id_column=id_column,
            progress=progress,
        )
    terminal.say(facts)
    terminal.conclude(summary, output)
