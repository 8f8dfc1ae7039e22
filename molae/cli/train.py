"""`molae train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from molae.cli.interrupts import interruptions_for_python
from molae.cli.options import NumWorkers, Quiet, Seed, SmilesColumn, Verbose

if TYPE_CHECKING:
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal


def train(
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="TOML file: what to train, and how.")
    ],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="PATH",
            help="What to train on: a file that `molae pack` wrote, or molecules, graphs, or ensembles.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.")],
    validation: Annotated[
        Path | None,
        typer.Option("--validation", metavar="PATH", help="Molecules to validate on; else some of the data."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="NAME|PATH",
            help="Model to start from: its weights of the same name and shape are taken.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last saved state, where there is one.")
    ] = False,
    smiles_column: SmilesColumn = None,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Train a model.

    The folder gets the model with the best validation in `best`, which --model takes, the latest in `last`,
    and the log. Files of molecules are packed into the folder first (see `molae pack` for more choices),
    without 3D coordinates where the config says so under [data].
    """
    from molae.apps.rows import Source
    from molae.catalogue import resolve
    from molae.cli.terminal import Terminal
    from molae.training import read_config
    from molae.training import train as run

    terminal = Terminal(verbose, quiet)
    settings = read_config(config)
    begin = None if start is None else resolve(start)
    output.mkdir(parents=True, exist_ok=True)
    coordinates = settings.data.coordinates is not False
    validating = None
    with interruptions_for_python():
        packed = _packed(Source(data, smiles_column, None, num_workers, seed), coordinates, output, terminal)
        if validation is not None:
            held_out = Source(validation, smiles_column, None, num_workers, seed)
            validating = _packed(held_out, coordinates, output, terminal)
    run(settings, packed, output, resume, validating, begin)
    if _interrupted(output, settings.training.steps, settings.training.patience):
        raise KeyboardInterrupt
    terminal.say(f"trained models: {output / 'best'} and {output / 'last'}")


def _packed(source: Source, coordinates: bool, folder: Path, terminal: Terminal) -> Path:
    """The packed form of a data set; what an earlier run packed from the same molecules is used again."""
    import hashlib

    from molae.apps.conformers.pack import pack_ensembles
    from molae.apps.pack import PACKED_SUFFIX, pack_file
    from molae.errors import DataError, RowError
    from molae.io import digest
    from molae.io.ensembles import holds_ensembles

    path = Path(source.path)
    if path.suffix == PACKED_SUFFIX:
        return path
    if not path.exists():
        raise DataError(f"there is no file {path}")
    choices = f"{digest(path)} {source.smiles_column} {source.seed} {coordinates}"
    choices = hashlib.sha256(choices.encode()).hexdigest()
    packed = folder / f"data-{choices[:12]}{PACKED_SUFFIX}"
    if not packed.exists():
        with terminal.progress(f"packing {path.name}") as progress:
            if holds_ensembles(path):
                workers = source.num_workers
                summary = pack_ensembles(
                    path, packed, seed=source.seed, num_workers=workers, progress=progress
                )
            else:
                summary = pack_file(source, packed, coordinates=coordinates, progress=progress)
        terminal.say(f"{packed}: {summary}")
        if not summary.ok:
            raise RowError(f"no row of {path} can be trained on")
    return packed


def _interrupted(output: Path, steps: int, patience: int) -> bool:
    """Whether training ended by a signal, before its last step and without losing patience."""
    import json

    from molae.training.state import PROGRESS, latest_state

    state = latest_state(output / "states")
    if state is None:
        return True
    progress = json.loads((state / PROGRESS).read_text())
    return progress["step"] < steps and not 0 < patience <= progress["waited"]
