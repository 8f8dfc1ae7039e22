"""`molae models`."""

from __future__ import annotations

from typing import Any

import typer


def models() -> None:
    """List the models that ship with molae, and what each was measured to do."""
    from rich.console import Console
    from rich.table import Table

    from molae.catalogue import available, read_description, resolve

    names = available()
    if not names:
        typer.echo("no models are shipped; train one with `molae train`", err=True)
        return
    table = Table(show_lines=True)
    for heading in ("model", "code", "atoms", "data", "measured"):
        table.add_column(heading, overflow="fold")
    for name in names:
        description = read_description(resolve(name))
        card = description["card"]
        table.add_row(
            name,
            str(description["config"].get("code_size", "-")),
            str(description["schema"]["max_nodes"]),
            str(card.get("data", "-")),
            _measured(card),
        )
    Console().print(table)


def _measured(card: dict[str, Any]) -> str:
    """The figures of a card: those under `measured` or, in a model just trained, under `validation`."""
    figures = card.get("measured") or card.get("validation") or {}
    lines = (
        f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in figures.items()
    )
    return "\n".join(lines) or "-"
