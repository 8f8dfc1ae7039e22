"""`molae conformers`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from molae.cli.options import (
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
    Seed,
    ShardOption,
    SmilesColumn,
    Verbose,
)


class Relaxation(StrEnum):
    """What relaxes the conformers."""

    none = "none"
    mmff = "mmff"
    gfn2 = "gfn2"


def conformers(
    input: Input,
    output: Output,
    n: Annotated[int, typer.Option("-n", "--conformers", min=1, help="Conformers of a molecule.")] = 50,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME|PATH",
            help="Model that draws the conformers; or etkdg, for RDKit's ETKDGv3 alone.",
        ),
    ] = "conformer",
    relax: Annotated[
        Relaxation,
        typer.Option("--relax", help="Relax by MMFF94s, or by GFN2-xTB (needs tblite), and sort by energy."),
    ] = Relaxation.none,
    prune_rmsd: Annotated[
        float | None,
        typer.Option(
            "--prune-rmsd", metavar="R", help="Least heavy-atom RMSD between two conformers, in angstrom."
        ),
    ] = None,
    of: Annotated[
        int | None,
        typer.Option(
            "--of",
            min=1,
            metavar="M",
            help="Draw M, and keep the -n commonest that differ; with --relax, the lowest that differ.",
        ),
    ] = None,
    enumerate_stereo: Annotated[
        bool,
        typer.Option(
            "--enumerate-stereo",
            help="Where stereo is left open, make all isomers, not one that the seed picks.",
        ),
    ] = False,
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit", metavar="SECONDS", help="Time for a molecule; what is made by then stays."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Page that shows them, offline; needs plotly."),
    ] = None,
    smiles_column: SmilesColumn = None,
    id_column: IdColumn = None,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    on_error: OnErrorOption = OnError.keep,
    shard: ShardOption = None,
    engine: EngineOption = Engine.local,
    resume: Resume = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Make 3D conformers of molecules, of the right stereo.

    Writes .sdf or .sdf.gz with all hydrogens: records named by id or row number, with the properties
    molae_row, smiles, molae_generator (model, or etkdg) and, where relaxed, energies in kcal/mol, by which
    they are sorted. A failed row that is kept is a record without atoms that says why. The page of --html
    shows the first 20 molecules: conformers laid over one another, energies, and a map of their codes.
    """
    from molae.apps.conformers.files import conformers_file
    from molae.apps.conformers.report import report_file, require_report
    from molae.apps.conformers.sampled import Request
    from molae.apps.rows import Source, parse_shard
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    if html is not None:
        require_report(html)
    source = Source(input, smiles_column, id_column, num_workers, seed, parse_shard(shard), engine.value)
    with terminal.progress("making conformers") as progress:
        summary = conformers_file(
            source,
            output,
            Request(n, seed, relax.value, prune_rmsd, time_limit, of),
            model,
            enumerate_stereo=enumerate_stereo,
            on_error=on_error.value,
            resume=resume,
            progress=progress,
        )
    if html is not None and summary.ok:
        report_file(output, html)
    terminal.conclude(summary, output)
