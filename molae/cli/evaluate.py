"""`molae evaluate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from molae.cli.fit import (
    FineTune,
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
    SplitSeed,
    Verbose,
)

evaluate = typer.Typer(no_args_is_help=True, help="Measure a model by a fixed protocol.")


# Figures of the table of methods; the JSON holds all.
_SHOWN = ("rmse", "mae", "r2", "coverage", "roc_auc", "average_precision", "balanced_accuracy", "brier")


# Of `molae.metrics.conformers.DELTAS`, which would take seconds to import.
_DELTAS = (0.5, 0.75, 1.0)
_CHECKS = {
    "PoseBusters pass rate": "posebusters_rate",
    "strain in GFN2-xTB, median, kcal/mol": "strain_median",
    "moved by that, median, Å": "moved_median",
}


class SplitName(StrEnum):
    """Which rows are evaluated."""

    all = "all"
    qm9_test = "qm9-test"
    qm9_validation = "qm9-validation"


class JudgedPrior(StrEnum):
    """Distributions that codes are drawn from."""

    mixture = "mixture"
    autoregressive = "autoregressive"
    normal = "normal"
    stored = "stored"
    adapted = "adapted"


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
    from molae.io.writers import check_folder

    check_folder(output)
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
        JudgedPrior,
        typer.Option(
            "--prior",
            help="Distribution fitted to the codes, normal for models of the variational form; or the model's"
            " own, as it is stored or adapted to the codes.",
        ),
    ] = JudgedPrior.mixture,
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
    from molae.io.writers import check_folder

    check_folder(output)
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
def conformers(
    references: Annotated[
        str, typer.Argument(metavar="REFERENCES", help="SD file of reference conformers, named by molecule.")
    ],
    samples: Annotated[
        list[str] | None,
        typer.Option(
            "--samples",
            metavar="[NAME=]FILE",
            help="SD file of samples, as molae conformers writes it, with the references' names as ids; may"
            " be repeated.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAMES",
            help="Generators to measure, parted by commas; NAME-mmff for conformers relaxed by MMFF94s, "
            "NAME-lowest for the lowest that differ of four times as many, NAME-commonest for the"
            " commonest of as many that are not relaxed.",
        ),
    ] = "",
    baselines: Annotated[
        str, typer.Option("--baselines", metavar="NAMES", help="Generators to compare with, likewise.")
    ] = "etkdg,etkdg-mmff",
    minima: Annotated[
        Path | None,
        typer.Option(
            "--minima",
            metavar="TABLE",
            help="CSV with molecule, conformer_id, minimum_index: every minimum of a molecule counts once.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="JSON file to write.")
    ] = Path("conformers.json"),
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Most molecules, at even distances from the file.")
    ] = None,
    per_reference: Annotated[
        int, typer.Option("--per-reference", min=1, help="Samples for each reference of a molecule.")
    ] = 2,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Number of seeds.")] = 1,
    posebusters: Annotated[
        int,
        typer.Option("--posebusters", min=0, help="Molecules of which PoseBusters judges a sample."),
    ] = 0,
    strain: Annotated[
        int,
        typer.Option("--strain", min=0, help="Molecules of which a sample is relaxed by GFN2-xTB."),
    ] = 0,
    num_workers: NumWorkers = 0,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Measure how well sampled conformers cover reference ensembles, beside ETKDGv3.

    2 K samples for K references of a molecule, unless told; a file with more has as many drawn at random.
    Generators see the isomeric SMILES alone. Prints a table of coverage (in per cent, below 0.5, 0.75 and
    1 angstrom) and average minimum RMSD, and writes JSON.
    """
    from molae.apps.conformers.evaluate import evaluate_conformers
    from molae.cli.terminal import Terminal
    from molae.io.writers import check_folder

    check_folder(output)
    terminal = Terminal(verbose, quiet)
    files = dict(_named(each) for each in samples or ())
    with terminal.progress("evaluating") as progress:
        report = evaluate_conformers(
            references,
            files,
            minima,
            models=_parted(model),
            baselines=_parted(baselines),
            limit=limit,
            per_reference=per_reference,
            seed=seed,
            seeds=seeds,
            posebusters=posebusters,
            strain=strain,
            num_workers=num_workers,
            progress=progress,
        )
    _write(report, output)
    _print_ensembles(report)
    terminal.say(f"written to {output}")


@evaluate.command()
def properties(
    input: Input,
    target: Targets,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="JSON file to write.")
    ] = Path("properties.json"),
    model: Model = "graph",
    split: Split = SplitKind.scaffold,
    split_column: SplitColumn = None,
    time_column: TimeColumn = None,
    test_size: TestSize = 0.2,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Number of splits to measure on.")] = 3,
    task: TaskOption = TaskName.auto,
    fine_tune: FineTune = False,
    smiles_column: SmilesColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: SplitSeed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Measure property models on codes, beside baselines on the same splits.

    Prints a table of mean and standard deviation over the seeds, and writes JSON.
    """
    from molae.apps.properties.evaluate import evaluate_properties
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal
    from molae.io.writers import check_folder

    check_folder(output)
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
            fine_tune=fine_tune,
            batch_size=batch_size,
            device=device.value,
            progress=progress,
        )
    _write(report, output)
    for each in report["targets"]:
        _print_methods(each, report)
    terminal.say(f"written to {output}")


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
        table.add_column(name.replace("_", " "), justify="right", overflow="fold")
    for method, found in target["methods"].items():
        table.add_row(method, *(_spread(found, name) for name in figures))
    Console().print(table)


def _spread(found: dict[str, Any], name: str) -> str:
    mean, deviation = found["mean"].get(name), found["deviation"].get(name)
    if mean is None:
        return "-"
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def _named(option: str) -> tuple[str, str]:
    name, equals, path = option.partition("=")
    return (name, path) if equals else (Path(option).name, option)


def _parted(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _print_ensembles(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    seeds = report["seeds"]
    title = f"{report['data']}, {report['molecules']} molecules, {report['references']} references"
    table = Table(title=f"{title}, {len(seeds)} seed{'s' * (len(seeds) > 1)}: mean / median over molecules")
    table.add_column("figure")
    for name in report["methods"]:
        table.add_column(name, justify="right", overflow="fold")
    methods = report["methods"].values()
    for side in ("recall", "precision"):
        table.add_row(f"AMR {side}, Å", *(_pair(each, f"amr_{side}", 1) for each in methods))
        for delta in _DELTAS:
            cells = (_pair(each, f"coverage_{side}_{delta}", 100) for each in methods)
            table.add_row(f"coverage {side} < {delta} Å, %", *cells)
    for label, name in (("missing molecules", "missing"), ("wrong stereo", "stereo_mismatches")):
        table.add_row(label, *(f"{each['figures'][name]:g}" for each in methods))
    table.add_row("samples", *(f"{each['figures']['samples']:g}" for each in methods))
    table.add_row("of these by ETKDG instead", *(str(each["by_etkdg"]) for each in methods))
    table.add_row("conformers per core-second", *(_number(each["conformers_per_second"]) for each in methods))
    for label, name in _CHECKS.items():
        if any(name in each["checks"] for each in methods):
            table.add_row(label, *(_number(each["checks"].get(name)) for each in methods))
    Console().print(table)


def _pair(method: dict[str, Any], name: str, factor: float) -> str:
    digits = 1 if factor == 100 else 3
    values = (method["figures"][f"{name}_{statistic}"] for statistic in ("mean", "median"))
    return " / ".join("-" if value is None else f"{factor * value:.{digits}f}" for value in values)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


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
