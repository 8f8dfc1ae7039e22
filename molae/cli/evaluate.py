"""`molae evaluate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from molae.cli.fit import (
    Split,
    SplitColumn,
    Targets,
    TaskName,
    TaskOption,
    TestSize,
    TimeColumn,
    split_options,
)
from molae.cli.fit import SplitName as SplitKind
from molae.cli.options import (
    BatchSize,
    Device,
    DeviceOption,
    Input,
    Model,
    NumWorkers,
    Quiet,
    Seed,
    SmilesColumn,
    Verbose,
)

evaluate = typer.Typer(no_args_is_help=True, help="Measure a model by a fixed protocol.")


# Figures of the table of methods; the JSON holds all.
_SHOWN = ("rmse", "mae", "r2", "coverage", "roc_auc", "average_precision", "balanced_accuracy", "brier")


class SplitName(StrEnum):
    """Which rows are evaluated."""

    all = "all"
    qm9_test = "qm9-test"
    qm9_validation = "qm9-validation"


class PriorName(StrEnum):
    """Distributions that codes are drawn from."""

    mixture = "mixture"
    normal = "normal"


@evaluate.callback()
def _protocols() -> None:
    """Measure a model by a fixed protocol."""


@evaluate.command()
def reconstruction(
    input: Input,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="JSON file to write.")
    ] = Path("reconstruction.json"),
    model: Model = "molecule",
    split: Annotated[
        SplitName, typer.Option("--split", help="Rows: all, or those of QM9 by their gdb_index.")
    ] = SplitName.all,
    smiles_column: SmilesColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Measure how many molecules come back from their codes, and how exactly.

    Prints a table and writes JSON. Every row of the split counts; failures count as not exact.
    """
    from molae.apps.evaluate import evaluate_reconstruction
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    _require_folder(output)
    terminal = Terminal(verbose, quiet)
    source = Source(input, smiles_column, None, num_workers, seed)
    with terminal.progress("evaluating") as progress:
        report = evaluate_reconstruction(
            source, model, split.value, batch_size=batch_size, device=device.value, progress=progress
        )
    _write(report, output)
    _print_table(report)
    terminal.say(f"written to {output}")
    if report["figures"]["count"] == sum(report["unread"].values()) + sum(report["undecoded"].values()):
        raise typer.Exit(1)


@evaluate.command()
def graphs(
    input: Input,
    model: Annotated[
        str,
        typer.Option(
            "--model", metavar="NAME|PATH", help="Folder of a trained model, or name of a shipped one."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="JSON file to write.")
    ] = Path("graphs.json"),
    train: Annotated[
        str | None,
        typer.Option(
            "--train",
            metavar="INPUT",
            help="Graphs to learn the distribution of codes from: as many new ones as INPUT has are generated"
            " and compared with it.",
        ),
    ] = None,
    prior: Annotated[
        PriorName,
        typer.Option(
            "--prior",
            help="Distribution fitted to the codes; normal is for models of the variational form.",
        ),
    ] = PriorName.mixture,
    smiles_column: SmilesColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Measure how many graphs that are no molecules come back from their codes, and what codes generate.

    Prints a table and writes JSON: exact up to the numbering of nodes; likelihood and ROC curve of the edges;
    with --train, which may be of molecules too, how many generated ones are valid, unique and new, and
    discrepancies in degree, clustering and orbits.
    """
    from molae.apps.evaluate_graphs import evaluate_graphs
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    _require_folder(output)
    terminal = Terminal(verbose, quiet)
    source = Source(input, smiles_column, None, num_workers, seed)
    fitted = None if train is None else Source(train, smiles_column, None, num_workers, seed)
    with terminal.progress("evaluating") as progress:
        report = evaluate_graphs(
            source,
            model,
            fitted,
            prior=prior.value,
            batch_size=batch_size,
            device=device.value,
            progress=progress,
        )
    _write(report, output)
    _print_table(report)
    terminal.say(f"written to {output}")


@evaluate.command()
def properties(
    input: Input,
    target: Targets,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="JSON file to write.")
    ] = Path("properties.json"),
    model: Model = "molecule",
    split: Split = SplitKind.scaffold,
    split_column: SplitColumn = None,
    time_column: TimeColumn = None,
    test_size: TestSize = 0.2,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Number of splits to measure on.")] = 3,
    task: TaskOption = TaskName.auto,
    smiles_column: SmilesColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Measure property models on codes, beside baselines on the same splits.

    Prints a table of mean and standard deviation over the seeds, and writes JSON.
    """
    from molae.apps.properties.evaluate import evaluate_properties
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    _require_folder(output)
    terminal = Terminal(verbose, quiet)
    chosen = split_options(split, split_column, time_column, test_size, seed)
    with terminal.progress("computing features") as progress:
        report = evaluate_properties(
            Source(input, smiles_column, None, num_workers, seed),
            target,
            model,
            split=chosen,
            seeds=seeds,
            task=task.value,
            batch_size=batch_size,
            device=device.value,
            progress=progress,
        )
    _write(report, output)
    for each in report["targets"]:
        _print_methods(each, report)
    terminal.say(f"written to {output}")


def _require_folder(output: Path) -> None:
    from molae.errors import DataError

    if not output.parent.is_dir():
        raise DataError(f"there is no folder {output.parent} to write {output.name} to")


def _write(report: dict[str, Any], output: Path) -> None:
    import json

    from molae.io import atomic_path

    with atomic_path(output) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _print_methods(target: dict[str, Any], report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    count = len(target["seeds"])
    title = f"{target['name']} of {report['data']}, codes of {report['model']}, {target['split']} split"
    table = Table(title=f"{title}, {target['molecules']} molecules, {count} seeds")
    figures = [name for name in _SHOWN if any(name in found["mean"] for found in target["methods"].values())]
    table.add_column("method", overflow="fold")
    for name in figures:
        table.add_column(name, justify="right", overflow="fold")
    for method, found in target["methods"].items():
        table.add_row(method, *(_spread(found, name) for name in figures))
    Console().print(table)


def _spread(found: dict[str, Any], name: str) -> str:
    mean, deviation = found["mean"].get(name), found["deviation"].get(name)
    if mean is None:
        return "-"
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def _print_table(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    split = f" ({report['split']})" if "split" in report else ""
    table = Table(title=f"{report['model']} on {report['data']}{split}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in report["figures"].items():
        table.add_row(name, _shown(name, value))
    for group in ("unread", "undecoded"):
        for kind, count in report.get(group, {}).items():
            table.add_row(f"{group}: {kind}", str(count))
    Console().print(table)


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("_rate"):
        return f"{100 * value:.3f} %"
    return f"{value:.4f} Å" if name.startswith("rmsd_") and not name.endswith("count") else str(value)
