"""The verbs joined, and what becomes of errors."""

from __future__ import annotations

import atexit
import gc
import sys
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from molae.cli.bench import bench
from molae.cli.conformers import conformers
from molae.cli.decode import decode
from molae.cli.embed import embed
from molae.cli.evaluate import evaluate
from molae.cli.explore import explore
from molae.cli.fit import fit
from molae.cli.generate import generate
from molae.cli.interrupts import interruptions_for_python
from molae.cli.models import models
from molae.cli.neighbours import neighbours
from molae.cli.pack import pack
from molae.cli.predict import predict
from molae.cli.prepare import prepare
from molae.cli.reconstruct import reconstruct
from molae.cli.train import train
from molae.errors import CheckpointError, ConfigError, DataError, MolaeError

# As it ends, the interpreter would look for garbage among all that torch and others leave behind, for a third
# of a second, which the operating system takes back anyway.
atexit.register(gc.freeze)

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

# What was named on the command line cannot be used.
_USAGE_ERRORS = (CheckpointError, ConfigError, DataError)


class _Verbs(TyperGroup):
    """Reports errors in one line, without a traceback, and says how to go on after an interruption."""

    def invoke(self, ctx: Any) -> Any:
        # Training, once it has begun, waits in all its processes for the end of a step, by its own handlers.
        trains = ctx.invoked_subcommand == "train"
        try:
            with nullcontext() if trains else interruptions_for_python():
                return super().invoke(ctx)
        except MolaeError as error:
            print(f"molae: {error}", file=sys.stderr)
            raise typer.Exit(WRONG_USAGE if isinstance(error, _USAGE_ERRORS) else FAILED) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            # What no verb foresaw: a disk that is full, a folder that must not be written to.
            name = f"{error.filename}: " if error.filename else ""
            print(f"molae: {name}{error.strerror or error}", file=sys.stderr)
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt as error:
            print(f"molae: interrupted; {self._way_on(ctx)}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from error

    def _way_on(self, ctx: Any) -> str:
        verb = self.get_command(ctx, ctx.invoked_subcommand or "")
        if verb is not None and any(option.name == "resume" for option in verb.params):
            return "the same command with --resume goes on"
        return "nothing was written"


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(embed)
app.command()(decode)
app.command()(reconstruct)
app.command()(conformers)
app.command()(generate)
app.command()(fit)
app.command()(predict)
app.command()(explore)
app.command()(neighbours)
app.command()(train)
app.command()(pack)
app.command()(prepare)
app.add_typer(evaluate, name="evaluate")
app.command()(models)
app.command()(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        from molae import __version__

        print(f"molae {__version__}")
        raise typer.Exit


@app.callback()
def molae(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn molecules into invariant vectors, and vectors back into molecules."""
