"""`molae fit`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from molae.cli.options import (
    BatchSize,
    Device,
    DeviceOption,
    Input,
    Model,
    NumWorkers,
    Quiet,
    SmilesColumn,
    SplitSeed,
    Verbose,
)

if TYPE_CHECKING:
    from molae.apps.properties.fit import SplitOptions


class SplitName(StrEnum):
    """How the test part is drawn."""

    scaffold = "scaffold"
    random = "random"


class TaskName(StrEnum):
    """What targets are."""

    auto = "auto"
    regression = "regression"
    classification = "classification"


class EstimatorName(StrEnum):
    """What is fitted on the features."""

    auto = "auto"
    ridge = "ridge"
    gp = "gp"
    boosting = "boosting"


class ClassWeightName(StrEnum):
    """How classes count."""

    none = "none"
    balanced = "balanced"


Targets = Annotated[
    list[str], typer.Option("--target", metavar="COL", help="Column to predict; may be given several times.")
]
Split = Annotated[
    SplitName, typer.Option("--split", help="Test part: unseen scaffolds, or random molecules.")
]
SplitColumn = Annotated[
    str | None, typer.Option("--split-column", metavar="COL", help="Column that says train or test instead.")
]
TimeColumn = Annotated[
    str | None,
    typer.Option("--time-column", metavar="COL", help="Column of dates or numbers; the latest test."),
]
TestSize = Annotated[float, typer.Option("--test-size", help="Share of the molecules that test.")]
FineTune = Annotated[
    bool,
    typer.Option("--fine-tune", help="Train networks too, which start from the model's summary: minutes."),
]
TaskOption = Annotated[TaskName, typer.Option("--task", help="What the targets are; auto looks at them.")]


def fit(
    input: Input,
    target: Targets,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    model: Model = "graph",
    features: Annotated[
        str, typer.Option("--features", help="Joined by +: code, descriptors (RDKit), fingerprints, ecfp.")
    ] = "code+descriptors+fingerprints",
    estimator: Annotated[
        EstimatorName,
        typer.Option(
            "--estimator",
            help="auto: Gaussian process; for more than two classes ridge, then logistic.",
        ),
    ] = EstimatorName.auto,
    task: TaskOption = TaskName.auto,
    class_weight: Annotated[
        ClassWeightName,
        typer.Option("--class-weight", help="balanced: rare classes count as much as common ones."),
    ] = ClassWeightName.none,
    fine_tune: FineTune = False,
    coverage: Annotated[
        float, typer.Option("--coverage", help="Share of the intervals that should hold the truth.")
    ] = 0.9,
    split: Split = SplitName.scaffold,
    split_column: SplitColumn = None,
    time_column: TimeColumn = None,
    test_size: TestSize = 0.2,
    smiles_column: SmilesColumn = None,
    batch_size: BatchSize = 128,
    device: DeviceOption = Device.auto,
    num_workers: NumWorkers = 0,
    seed: SplitSeed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model of properties on a table of molecules.

    Measures it on a test part beside baselines, then fits it on all rows. Writes the model, report.html and
    report.json to a folder that `molae predict` takes.
    """
    from molae.apps.properties.fit import fit_file
    from molae.apps.properties.model import Recipe
    from molae.apps.rows import Source
    from molae.cli.terminal import Terminal

    terminal = Terminal(verbose, quiet)
    recipe = Recipe(features, estimator.value, class_weight.value, coverage, seed, fine_tune)
    chosen = split_options(split, split_column, time_column, test_size, seed)
    with terminal.progress("computing features") as progress:
        report = fit_file(
            Source(input, smiles_column, None, num_workers, seed),
            target,
            output,
            model,
            recipe=recipe,
            split=chosen,
            task=task.value,
            batch_size=batch_size,
            device=device.value,
            progress=progress,
        )
    for each in report["targets"]:
        if not quiet:
            _print_table(each)
        for text in each["warnings"]:
            terminal.say(f"warning: {each['name']}: {text}")
    terminal.say(f"{output}: model, report.html, report.json")


def split_options(
    split: SplitName, split_column: str | None, time_column: str | None, test_size: float, seed: int
) -> SplitOptions:
    """The split that was asked for.

    Raises:
        ConfigError: If two were asked for.
    """
    from molae.apps.properties.fit import SplitOptions
    from molae.errors import ConfigError

    if split_column and time_column:
        raise ConfigError("--split-column and --time-column exclude each other: give one")
    if split_column:
        return SplitOptions("column", split_column, test_size, seed)
    if time_column:
        return SplitOptions("time", time_column, test_size, seed)
    return SplitOptions(split.value, None, test_size, seed)


def _print_table(target: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    split = target["split"]
    counts = f"{len(split['train_rows'])} train, {len(split['test_rows'])} test"
    table = Table(title=f"{target['name']}: {target['task']}, {split['kind']} split, {counts}")
    table.add_column("")
    methods = {"molae": target["figures"], **target["baselines"]}
    for method in methods:
        table.add_column(method, justify="right")
    for name in target["figures"]:
        table.add_row(name.replace("_", " "), *(_shown(figures.get(name)) for figures in methods.values()))
    Console().print(table)


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value == 0 or 0.01 <= abs(value) < 1e5 else f"{value:.3g}"
