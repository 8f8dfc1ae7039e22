"""The protocol of property regression: recipes and baselines over several splits of one table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from molae.apps.embed import BATCH_SIZE
from molae.apps.loading import Model
from molae.apps.properties.assess import Labelled, SplitPlan, labelled, measure, measure_baseline
from molae.apps.properties.baselines import BASELINES
from molae.apps.properties.features import Featuriser
from molae.apps.properties.fit import SplitOptions, without_nan
from molae.apps.properties.model import BLOCKS, Recipe
from molae.apps.properties.splits import Split
from molae.apps.properties.storage import origin_of
from molae.apps.properties.table import read_table
from molae.apps.properties.targets import Task
from molae.apps.rows import Progress, Source, no_progress

logger = logging.getLogger("molae.apps")

#: What is measured beside the baselines. Without the code, the recipes show what the code adds.
RECIPES = (
    Recipe("code", "ridge"),
    Recipe("code"),
    Recipe("descriptors+fingerprints"),
    Recipe("code+descriptors+fingerprints"),
)
#: The same with networks fine-tuned.
FINE_TUNED = (Recipe("code", fine_tune=True), Recipe("code+descriptors+fingerprints", fine_tune=True))


def evaluate_properties(
    source: Source,
    targets: Sequence[str],
    model: Model = "graph",
    *,
    split: SplitOptions | None = None,
    seeds: int = 3,
    task: Task = "auto",
    fine_tune: bool = False,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measures recipes and baselines on the same splits.

    Args:
        source: The table.
        targets: Columns to predict.
        model: Name of a shipped model, or path of a model directory, that codes come from.
        split: How test parts are chosen; its seed is the first of the seeds.
        seeds: Number of splits; a split by a column or by time is one and the same for every seed.
        task: What to take the targets for.
        fine_tune: Whether to measure fine-tuned networks too, which takes minutes a split.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        progress: Told after every few rows.
    Returns:
        The report, as JSON can hold it: `protocol`, `model`, `weights_sha256`, `data`, `rows`; for each of
        `targets` its `splits` (row numbers of the test parts), and `methods`: for each its `figures`, a list
        with an entry for each seed, and their `mean` and `deviation` (of the sample).
    Raises:
        DataError: If the table cannot be used.
        MolaeError: If the model cannot be used.
    """
    split = split or SplitOptions()
    origin = origin_of(model, BLOCKS, source.seed)
    others = [split.column] if split.column else []
    recipes = (*RECIPES, *FINE_TUNED) if fine_tune else RECIPES
    needed = (*(name for recipe in recipes for name in recipe.inputs), *filter(None, BASELINES.values()))
    blocks = dict.fromkeys(needed)
    table = read_table(source, Featuriser(blocks, model, device, batch_size), targets, others, progress)
    summary = table.molecules.summary
    logger.info("%s: %s", source.path, summary)
    plan = split.plan(table)
    plans = [replace(plan, seed=split.seed + number) for number in range(seeds)]
    found = [
        _evaluate(labelled(table.molecules, table.target(name, task)), plans, recipes)
        for name in dict.fromkeys(targets)
    ]
    return without_nan(
        {
            "protocol": "properties",
            "model": str(model),
            "weights_sha256": origin.fingerprint,
            "data": Path(source.path).name,
            "rows": {
                "read": summary.total,
                "usable": summary.ok,
                "used": len(table.molecules.rows),
                "failed": dict(summary.failed),
            },
            "targets": found,
        }
    )


def _evaluate(data: Labelled, plans: Sequence[SplitPlan], recipes: Sequence[Recipe]) -> dict[str, Any]:
    methods: dict[str, list[dict[str, float]]] = {}
    splits = []
    for plan in plans:
        split = plan.split(data.molecules, data.places)
        splits.append((data.molecules.rows[split.test] + 1).tolist())
        for name, run in _methods(data, split, plan, recipes).items():
            logger.info("%s, seed %d: %s", data.target.name, plan.seed, name)
            methods.setdefault(name, []).append(run())
    return {
        "name": data.target.name,
        "task": data.target.task,
        "classes": list(data.target.classes),
        "molecules": len(data.values),
        "split": plans[0].kind,
        "seeds": [plan.seed for plan in plans],
        "splits": splits,
        "methods": {name: _gathered(figures) for name, figures in methods.items()},
    }


def _methods(
    data: Labelled, split: Split, plan: SplitPlan, recipes: Sequence[Recipe]
) -> dict[str, Callable[[], dict[str, float]]]:
    """What to run, by name."""

    def baseline(name: str) -> Callable[[], dict[str, float]]:
        return lambda: measure_baseline(name, data, split, plan.seed)

    def recipe(chosen: Recipe) -> Callable[[], dict[str, float]]:
        return lambda: _measure_recipe(data, split, plan, replace(chosen, seed=plan.seed))

    runs = {name: baseline(name) for name in BASELINES}
    for chosen in recipes:
        tuned = ", fine-tuned" if chosen.fine_tune else ""
        runs[f"{chosen.features}, {_called(chosen, data)}{tuned}"] = recipe(chosen)
    return runs


def _called(recipe: Recipe, data: Labelled) -> str:
    estimator = recipe.estimator_for(data.class_count)
    return "logistic" if data.class_count and estimator == "ridge" else estimator


def _measure_recipe(data: Labelled, split: Split, plan: SplitPlan, recipe: Recipe) -> dict[str, float]:
    model = data.fit(split.train, plan.groups(data.molecules), recipe)
    test, truth = data.part(split.test)
    return measure(model.predict(test.blocks), truth)


def _gathered(figures: list[dict[str, float]]) -> dict[str, Any]:
    names = list(figures[0])
    values = {name: np.array([each[name] for each in figures]) for name in names}
    return {
        "figures": figures,
        "mean": {name: float(found.mean()) for name, found in values.items()},
        "deviation": {
            name: float(found.std(ddof=1)) if len(found) > 1 else float("nan")
            for name, found in values.items()
        },
    }
