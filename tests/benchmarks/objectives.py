"""What objectives beside reconstruction are worth: small models of graphs, each trained with another.

All are trained on the same packed molecules with the same seed and number of steps; VARIANTS says what each
is asked for. Then, for each variant, of molecules that it has not seen:

    exact       share rebuilt exactly, in %
    R2 of ...   what a linear model finds in the summary (see what_codes_know.py), and its neighbours
    tables      RMSE, or area under the ROC curve, of the Gaussian process of `molae fit` on the frozen
                summary: mean and standard deviation over scaffold splits

    molae pack --graphs --descriptors train.smi -o train.safetensors      (likewise held_out.smi)
    python tests/benchmarks/objectives.py train.safetensors --held-out held_out.safetensors \\
        --molecules held_out.smi --output runs --tables delaney.csv:logS bace.csv:Class:mol

A trained variant is not trained again: runs can be stopped and started, and variants added.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rdkit import Chem
from report import parser, publish
from what_codes_know import figures, read

import molae
from molae.apps.properties.assess import Labelled, SplitPlan, labelled
from molae.apps.properties.features import Featuriser
from molae.apps.properties.model import Recipe, fit_scores
from molae.apps.properties.table import read_table
from molae.apps.rows import Source
from molae.autoencoder import Autoencoder
from molae.catalogue import read_description
from molae.metrics.properties import regression_figures
from molae.training import train
from molae.training.config import TrainConfig, parse_config

#: Weight of the descriptors, and the regulariser, of each variant.
VARIANTS: dict[str, tuple[float, dict[str, Any] | None]] = {
    "reconstruction": (0.0, None),
    "descriptors": (10.0, None),
    "descriptors + masked": (10.0, {"name": "masked"}),
    "descriptors + vicreg": (10.0, {"name": "vicreg"}),
    "descriptors + distance-covariance": (10.0, {"name": "distance-covariance", "weight": 10.0}),
    "masked": (0.0, {"name": "masked"}),
    "vicreg": (0.0, {"name": "vicreg"}),
}

PROBES = ("HeavyAtomCount", "RingCount", "MolLogP", "TPSA")


class Table(NamedTuple):
    """A table of molecules with a property: file, column of the property, column of SMILES if not found."""

    path: Path
    target: str
    smiles: str | None


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    mols = read(arguments.molecules, arguments.limit)
    rows = []
    for name in arguments.variants:
        folder = arguments.output / name.replace(" + ", "-with-")
        best = folder / "best"
        if not best.exists():
            train(configure(name, arguments), arguments.data, folder, True, arguments.held_out)
        if not best.exists():
            raise SystemExit(f"interrupted while training {name!r}: the same command goes on")
        row = {"objectives": name, **trained(best), **known(best, mols, arguments.seed)}
        for table in arguments.tables:
            row |= downstream(best, table, arguments.seeds)
        rows.append(row)
        # So far: what comes next takes minutes.
        publish(rows, arguments, molecules=len(mols), variants=VARIANTS)


def configure(name: str, arguments: argparse.Namespace) -> TrainConfig:
    """The run of a variant: `graph`, narrower and shallower."""
    weight, regulariser = VARIANTS[name]
    network = {"name": "slots", "width": 32, "head_width": 256, "head_depth": 1}
    model = {
        "code_size": 368,
        "encoder": network | {"summary": {"size": 112}},
        "decoder": network | {"pair_width": 8, "attention_layers": 1},
        "loss": {"targets": weight},
    }
    training = {
        "steps": arguments.steps,
        "batch_size": 32,
        "window": 4,
        "learning_rate": 2e-3,
        "warmup_steps": 100,
        "ema_decay": 0.99,
        "betas": [0.9, 0.98],
        "gradient_clip": 10.0,
        "precision": "bf16-mixed",
        "full_precision_steps": arguments.steps // 20,
        # Once, at the end: what is best and what is last are then one.
        "validate_every": arguments.steps,
        "seed": arguments.seed,
    }
    sections = {"model": model | ({"regulariser": regulariser} if regulariser else {}), "training": training}
    return parse_config(sections)


def trained(path: Path) -> dict[str, float]:
    """How well the held-out graphs are rebuilt."""
    card = read_description(path)["card"]
    return {"exact %": 100 * card["validation"]["exact"]}


def known(path: Path, mols: list[Chem.Mol], seed: int) -> dict[str, float]:
    """What the summary knows of molecules, and how alike its neighbours are."""
    model = molae.load(path)
    vectors = molae.embed([Chem.MolToSmiles(mol) for mol in mols], model=model)
    summary = vectors[:, : model.encoder.summary_size]
    found = figures(summary, np.full_like(summary, np.nan), mols, seed)
    return {f"R2 of {name}": found[f"R2 of {name}"] for name in PROBES} | {"neighbour": found["neighbour"]}


def downstream(path: Path, table: Table, seeds: int) -> dict[str, str]:
    """The error of the frozen summary on unseen scaffolds."""
    model: Autoencoder = molae.load(path)
    source = Source(table.path, smiles_column=table.smiles)
    read_in = read_table(source, Featuriser(("code",), model), [table.target])
    data = labelled(read_in.molecules, read_in.target(table.target, "auto"))
    errors = [_error(data, SplitPlan(seed=seed)) for seed in range(seeds)]
    figure = "AUC" if data.class_count else "RMSE"
    deviation = np.std(errors, ddof=1) if seeds > 1 else np.nan
    return {f"{table.path.stem} {figure}": f"{np.mean(errors):.3f} ± {deviation:.3f}"}


def _error(data: Labelled, plan: SplitPlan) -> float:
    from sklearn.metrics import roc_auc_score

    split = plan.split(data.molecules, data.places)
    (train_part, values), (test, truth) = data.part(split.train), data.part(split.test)
    recipe = Recipe("code", seed=plan.seed)
    scores = fit_scores(train_part.blocks, values, recipe, data.class_count, {})(test.blocks)
    if data.class_count:
        return float(roc_auc_score(truth, scores[:, -1]))
    return regression_figures(scores[:, 0], truth)["rmse"]


def _table(text: str) -> Table:
    path, _, columns = text.partition(":")
    target, _, smiles = columns.partition(":")
    return Table(Path(path), target, smiles or None)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("data", type=Path, help="packed molecules to train on, with descriptors")
    made.add_argument("--held-out", type=Path, required=True, help="packed molecules to rebuild")
    made.add_argument("--molecules", type=Path, required=True, help="file of molecules to probe")
    made.add_argument("--output", type=Path, required=True, help="folder of the trained models")
    made.add_argument(
        "--tables", type=_table, nargs="*", default=[], help="FILE:TARGET or FILE:TARGET:SMILES_COLUMN"
    )
    made.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    made.add_argument("--steps", type=int, default=800)
    made.add_argument("--seeds", type=int, default=3, help="scaffold splits of each table (default 3)")
    made.add_argument("--limit", type=int, default=1500, help="molecules to probe (default 1500)")
    made.add_argument("--seed", type=int, default=0, help="seed of training")
    return made.parse_args()


if __name__ == "__main__":
    main()
