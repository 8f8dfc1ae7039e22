"""`molae prepare`."""

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


class Level(StrEnum):
    """What finds the minima."""

    mmff = "mmff"
    gfn2 = "gfn2"
    given = "given"


def prepare(
    input: Input,
    output: Output,
    level: Annotated[
        Level,
        typer.Option(
            "--level",
            help="Relax by MMFF94s; relax the lowest of those by GFN2-xTB (needs tblite); or take the"
            " conformers of an SD file as they are.",
        ),
    ] = Level.mmff,
    n: Annotated[
        int,
        typer.Option("-n", "--embeddings", min=1, help="Conformers of a molecule that are relaxed."),
    ] = 30,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME|PATH",
            help="What makes the conformers that are relaxed: etkdg, for RDKit's ETKDGv3, or a model.",
        ),
    ] = "etkdg",
    most: Annotated[
        int | None,
        typer.Option("--most", min=1, help="Most conformers of a molecule.", show_default="10; all given"),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            "--window",
            metavar="E",
            help="Highest energy above the lowest, in kcal/mol.",
            show_default="10; any given",
        ),
    ] = None,
    prune_rmsd: Annotated[
        float | None,
        typer.Option(
            "--prune-rmsd",
            metavar="R",
            help="Least heavy-atom RMSD between two conformers, in angstrom.",
            show_default="0.3 for mmff, 0.125 for gfn2, none for given",
        ),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            "--exclude",
            metavar="FILE",
            help="Leave out the molecules of this file, test sets for instance, and all their stereoisomers;"
            " may be repeated.",
        ),
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", metavar="SECONDS", help="A molecule that takes longer fails.")
    ] = 600.0,
    minima: Annotated[
        Path | None,
        typer.Option(
            "--minima",
            metavar="FILE",
            help="With --level given: CSV table of molecule, conformer_id and minimum_index; each minimum"
            " counts once.",
        ),
    ] = None,
    energy: Annotated[
        str | None,
        typer.Option(
            "--energy",
            metavar="NAME",
            help="With --level given: property with the energy; its name ends in the unit, _Eh or _kcal_mol.",
        ),
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
    """Make ensembles of low-energy conformers, as training data for models of conformers.

    Writes .parquet, a row for a molecule: SMILES with all hydrogens, positions of all conformers in their
    order in steps of 0.001 angstrom, energies above the lowest in kcal/mol, level of theory and seed.
    molae.io.ensembles.read_ensembles gives the molecules back.
    """
    from molae.apps.conformers.prepare import References, prepare_file
    from molae.apps.conformers.recipe import default_recipe
    from molae.apps.rows import Source, parse_shard
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    source = Source(input, smiles_column, id_column, num_workers, seed, parse_shard(shard), engine.value)
    recipe = default_recipe(
        level.value,
        model,
        n=n,
        most=most,
        window=window,
        prune_rmsd=prune_rmsd,
        seed=seed,
        time_limit=time_limit,
    )
    with terminal.progress("making ensembles") as progress:
        summary = prepare_file(
            source,
            output,
            recipe,
            exclude=exclude or (),
            references=References(minima, energy) if minima or energy else None,
            on_error=on_error.value,
            resume=resume,
            progress=progress,
        )
    terminal.conclude(summary, output)
