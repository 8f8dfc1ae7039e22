"""`molae pack`."""

from __future__ import annotations

from typing import Annotated

import typer

from molae.cli.options import Input, NumWorkers, Output, Quiet, Seed, SmilesColumn, Verbose


def pack(
    input: Input,
    output: Output,
    max_nodes: Annotated[
        int | None,
        typer.Option(
            "--max-atoms",
            "--max-nodes",
            min=1,
            max=255,
            help="Most atoms or nodes that the trained model will take; else 50, or as many as a graph has.",
        ),
    ] = None,
    conformers: Annotated[
        int,
        typer.Option("--conformers", min=1, help="Conformers to try for molecules without 3D coordinates."),
    ] = 1,
    hydrogens: Annotated[
        bool, typer.Option("--hydrogens", help="Make hydrogens nodes of the graphs.")
    ] = False,
    graphs: Annotated[
        bool,
        typer.Option(
            "--graphs",
            help="Pack graphs without 3D coordinates: no conformers, stereo as labels of atoms and bonds.",
        ),
    ] = False,
    descriptors: Annotated[
        bool,
        typer.Option(
            "--descriptors",
            help="Pack descriptors of molecules, or statistics of graphs, for a summary to be taught.",
        ),
    ] = False,
    smiles_column: SmilesColumn = None,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Prepare molecules or graphs for training: conformers and canonical orders, in one .safetensors file.

    A model trained on the file takes what is in it: molecules with 3D coordinates or, with --graphs, without.
    """
    from molae.apps.pack import pack_file
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    source = Source(input, smiles_column, None, num_workers, seed)
    with terminal.progress("packing") as progress:
        summary = pack_file(
            source,
            output,
            max_nodes,
            conformers,
            hydrogens=hydrogens,
            coordinates=not graphs,
            descriptors=descriptors,
            progress=progress,
        )
    terminal.conclude(summary, output)
