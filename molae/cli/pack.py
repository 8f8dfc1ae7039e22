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
    directed: Annotated[
        bool | None,
        typer.Option(
            "--directed/--undirected",
            help="Whether edges of graphs have directions, which tables and TUDatasets do not say.",
            show_default="as most graphs say, else undirected",
        ),
    ] = None,
    node_attributes: Annotated[
        str | None,
        typer.Option(
            "--node-attributes",
            metavar="NAMES",
            help="Attributes of the nodes of graphs to hold, between commas; else all.",
        ),
    ] = None,
    edge_attributes: Annotated[
        str | None,
        typer.Option(
            "--edge-attributes",
            metavar="NAMES",
            help="Attributes of the edges of graphs to hold, between commas; else all.",
        ),
    ] = None,
    numbers: Annotated[
        str,
        typer.Option(
            "--numbers",
            metavar="NAMES",
            help="Attributes whose integers are numbers, not labels, between commas.",
        ),
    ] = "",
    level: Annotated[
        str | None,
        typer.Option(
            "--level",
            metavar="NAME",
            help="Of ensembles: where the conformers come from, dft, gfn2, mmff or experiment.",
            show_default="as the file says",
        ),
    ] = None,
    starts: Annotated[
        int, typer.Option("--starts", min=1, help="Of ensembles: embeddings that the model is to turn.")
    ] = 4,
    smiles_column: SmilesColumn = None,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Prepare molecules or graphs for training: conformers and canonical orders, in one .safetensors file.

    A model trained on the file takes what is in it: molecules with 3D coordinates or, with --graphs, without.
    Ensembles that `molae prepare` wrote are packed for a model of conformers. Of other graphs, attributes
    that are integers or text are labels, and those with a decimal point are numbers; what was taken for which
    is told.
    """
    from molae.apps.conformers.pack import pack_ensembles
    from molae.apps.pack import pack_file
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal
    from molae.graphs.vocabulary import AttributeChoice
    from molae.io.ensembles import holds_ensembles

    terminal = Terminal(verbose, quiet)
    if holds_ensembles(input):
        with terminal.progress("packing") as progress:
            summary = pack_ensembles(
                input, output, level, starts, seed=seed, num_workers=num_workers, progress=progress
            )
        terminal.conclude(summary, output)
        return
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
            choice=AttributeChoice(
                _names(node_attributes), _names(edge_attributes), _names(numbers) or (), directed
            ),
            progress=progress,
        )
    terminal.conclude(summary, output)


def _names(text: str | None) -> tuple[str, ...] | None:
    """Names between commas; none at all in an empty text."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
