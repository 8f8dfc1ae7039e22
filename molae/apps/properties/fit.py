"""A table of measured properties to a fitted model with its report."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from molae.apps.embed import BATCH_SIZE
from molae.apps.loading import Model
from molae.apps.properties.assess import (
    Assessment,
    Labelled,
    SplitPlan,
    assess,
    by_distance,
    by_scaffold,
    labelled,
    learning_curve,
    reliability_of,
    trust,
    warnings,
)
from molae.apps.properties.baselines import BASELINES
from molae.apps.properties.features import Featuriser
from molae.apps.properties.model import Recipe
from molae.apps.properties.report import render_report
from molae.apps.properties.splits import SplitKind
from molae.apps.properties.storage import (
    FeatureOrigin,
    FittedTarget,
    check_output,
    origin_of,
    save_model,
)
from molae.apps.properties.table import Table, read_table
from molae.apps.properties.targets import Task
from molae.apps.rows import Progress, Source, no_progress

logger = logging.getLogger("molae.apps")

REPORT, REPORT_PAGE = "report.json", "report.html"

_WORST_SHOWN = 6


@dataclass(frozen=True)
class SplitOptions:
    """How the test part of the report is chosen.

    Attributes:
        kind: By scaffold, at random, by a column that names the part, or by a column of times.
        column: That column.
        test_size: Share of the molecules that test.
        seed: Seed of the draw.
    """

    kind: SplitKind = "scaffold"
    column: str | None = None
    test_size: float = 0.2
    seed: int = 0

    def plan(self, table: Table) -> SplitPlan:
        """The plan for the molecules of a table."""
        values = table.cells[self.column] if self.column else ()
        return SplitPlan(self.kind, values, self.column, self.test_size, self.seed)


def fit_file(
    source: Source,
    targets: Sequence[str],
    output: str | Path,
    model: Model = "graph",
    *,
    recipe: Recipe | None = None,
    split: SplitOptions | None = None,
    task: Task = "auto",
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Fits models of properties, measures them on a part held out, and saves them with the report.

    What is saved was fitted on all rows with labels, or so many random ones of them as
    `molae.apps.properties.table.MOST_ROWS`; the report is of the same recipe fitted on the training part.

    Args:
        source: The table.
        targets: Columns to predict, a model each; rows without a label are left out for that target.
        output: Directory to write: the model, `report.json` and `report.html`.
        model: Name of a shipped model, or path of a model directory, that codes come from.
        recipe: How to fit.
        split: How the test part of the report is chosen.
        task: What to take the targets for.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        progress: Told after every few rows.
    Returns:
        The report, as `report.json` holds it.
    Raises:
        DataError: If the table cannot be used, or the output is in the way.
        MolaeError: If the model cannot be used.
    """
    recipe, split = recipe or Recipe(), split or SplitOptions()
    check_output(Path(output))
    origin = origin_of(model, recipe.blocks, source.seed)
    # The baselines need what the recipe may do without.
    blocks = dict.fromkeys((*recipe.inputs, *filter(None, BASELINES.values())))
    featuriser = Featuriser(blocks, model, device, batch_size)
    others = [split.column] if split.column else []
    table = read_table(source, featuriser, targets, others, progress)
    logger.info("%s: %s", source.path, table.molecules.summary)
    plan = split.plan(table)
    fitted, reports = [], []
    # All are read before the first is fitted, which may take long.
    read = {name: table.target(name, task) for name in dict.fromkeys(targets)}
    for name, target in read.items():
        data = labelled(table.molecules, target)
        assessment = assess(data, plan, recipe)
        everything = np.arange(len(data.values))
        logger.info("%s: fitting on all %d molecules", name, len(everything))
        final = data.fit(everything, plan.groups(data.molecules), recipe)
        fitted.append(FittedTarget(name, data.target.classes, final))
        reports.append(_report(assessment, plan))
    report = _whole_report(source, table, origin, recipe, reports)
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    save_model(Path(output), fitted, origin, {REPORT: text, REPORT_PAGE: render_report(report)})
    return report


def _whole_report(
    source: Source, table: Table, origin: FeatureOrigin, recipe: Recipe, targets: list[dict[str, Any]]
) -> dict[str, Any]:
    summary = table.molecules.summary
    return {
        "data": Path(source.path).name,
        "rows": {
            "read": summary.total,
            "usable": summary.ok,
            "used": len(table.molecules.rows),
            "failed": dict(summary.failed),
        },
        "notes": dict(summary.notes),
        "features": recipe.features,
        "model": origin.model if origin.model is None else Path(origin.model).name,
        "weights_sha256": origin.fingerprint,
        "recipe": asdict(recipe),
        "targets": targets,
    }


def _report(assessment: Assessment, plan: SplitPlan) -> dict[str, Any]:
    data, split = assessment.data, assessment.split
    rows = data.molecules.rows + 1
    return without_nan(
        {
            "name": data.target.name,
            "task": data.target.task,
            "classes": list(data.target.classes),
            "estimator": assessment.model.recipe.estimator_for(data.class_count),
            "molecules": len(data.values),
            "unreadable_labels": len(data.target.unreadable),
            "distinct_molecules": len(set(data.molecules.smiles)),
            "split": {
                "kind": plan.kind,
                "column": plan.column,
                "seed": plan.seed,
                "train_rows": rows[split.train].tolist(),
                "test_rows": rows[split.test].tolist(),
            },
            "fine_tuned": {networks.kind: networks.share for networks in assessment.model.tuned},
            "warnings": warnings(assessment),
            "figures": assessment.figures,
            "baselines": assessment.baselines,
            "learning_curve": learning_curve(assessment, plan.seed),
            "by_scaffold": by_scaffold(assessment),
            "by_distance": by_distance(assessment),
            "trust": trust(assessment),
            "reliability": reliability_of(assessment),
            "worst": _worst(assessment),
            "test": _test_rows(assessment),
        }
    )


def _test_rows(assessment: Assessment) -> list[dict[str, Any]]:
    """What was measured and predicted of every test molecule."""
    data, predictions = assessment.data, assessment.predictions
    found = []
    for place, (molecule, truth) in enumerate(zip(assessment.split.test, assessment.truth, strict=True)):
        row: dict[str, Any] = {
            "row": int(data.molecules.rows[molecule]) + 1,
            "smiles": data.molecules.smiles[molecule],
            "distance": float(predictions.distance[place]),
        }
        if data.class_count:
            row["measured"] = data.target.classes[truth]
            row["predicted"] = data.target.classes[predictions.value[place]]
            row["probabilities"] = [float(p) for p in predictions.probabilities[place]]
        else:
            row |= {"measured": float(truth), "predicted": float(predictions.value[place])}
            row |= {"lower": float(predictions.lower[place]), "upper": float(predictions.upper[place])}
        found.append(row)
    return found


def _worst(assessment: Assessment) -> list[dict[str, Any]]:
    """The test molecules with the largest errors, and the nearest training molecule of each."""
    data = assessment.data
    rows = {int(row) + 1: place for place, row in enumerate(data.molecules.rows)}
    found = []
    for place in np.argsort(-np.abs(assessment.errors), kind="stable")[:_WORST_SHOWN]:
        neighbour = rows[int(assessment.predictions.nearest_row[place])]
        found.append(
            {
                "test": int(place),
                "error": float(assessment.errors[place]),
                "neighbour": {
                    "row": int(data.molecules.rows[neighbour]) + 1,
                    "smiles": data.molecules.smiles[neighbour],
                    "measured": _shown(data, neighbour),
                },
            }
        )
    return found


def _shown(data: Labelled, place: int) -> float | str:
    return data.target.classes[data.values[place]] if data.class_count else float(data.values[place])


def without_nan(value: Any) -> Any:
    """The same with null for numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
