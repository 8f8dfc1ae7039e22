"""The command line: `molae`."""

from molae.cli.main import app

__all__ = ["app"]
