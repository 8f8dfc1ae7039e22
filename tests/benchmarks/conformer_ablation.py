"""What each part of sampling by a model of conformers is worth, as `molae evaluate conformers` measures it.

python tests/benchmarks/conformer_ablation.py split/test.sdf.gz --minima energies.csv.gz --seeds 3

as it is          the model as its checkpoint says
gone once         the last part of the flow's way not gone again
not refined       atoms stay where turned bonds put them
uniform angles    no flow: the angles are those that it would begin with
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from report import parser, publish
from torch import nn

import molae
from molae.apps.conformers.evaluate import evaluate_conformers
from molae.checkpoint import save_checkpoint
from molae.conformer import ConformerModel

VARIANTS: dict[str, dict[str, int]] = {
    "as it is": {},
    "gone once": {"repeats": 0},
    "not refined": {"rounds": 0},
    "uniform angles": {"steps": 0, "repeats": 0},
}
FIGURES = {
    "AMR-R mean / Å": "amr_recall_mean",
    "median": "amr_recall_median",
    "COV-R / 0.75 Å": "coverage_recall_0.75_mean",
    "AMR-P mean / Å": "amr_precision_mean",
    "COV-P / 0.75 Å": "coverage_precision_0.75_mean",
}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name.replace(" ", "_") for name in VARIANTS}
        for name, changes in VARIANTS.items():
            save_checkpoint(changed(arguments.model, changes), paths[name])
        methods = evaluate_conformers(
            arguments.input,
            models=[str(path) for path in paths.values()],
            baselines=[],
            minima=arguments.minima,
            seeds=arguments.seeds,
            limit=arguments.limit,
        )["methods"]
        rows = [row(name, methods[str(path)]["figures"]) for name, path in paths.items()]
    publish(rows, arguments)


def changed(name: str, changes: dict[str, int]) -> ConformerModel:
    """The model with some of its configuration changed."""
    model = molae.load(name)
    if not isinstance(model, ConformerModel):
        raise SystemExit(f"{name} is no model of conformers")
    model.config = type(model.config)(**(model.config.model_dump() | changes))
    model.refine.rounds = nn.ModuleList(list(model.refine.rounds)[: model.config.rounds])
    return model


def row(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    return {"variant": name} | {title: figures[key] for title, key in FIGURES.items()}


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("input", type=Path, help="SD file of reference conformers")
    made.add_argument("--minima", type=Path, help="CSV file with molecule, conformer_id and minimum_index")
    made.add_argument(
        "--model", default="conformer", help="a shipped model of conformers, or the path of one"
    )
    made.add_argument("--seeds", type=int, default=1)
    made.add_argument("--limit", type=int, help="molecules to take")
    return made.parse_args()


if __name__ == "__main__":
    main()
