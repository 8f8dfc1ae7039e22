"""Frozen codes against fingerprints, set by set: which is better, and how surely.

    python tests/benchmarks/paired_comparison.py moleculenet/ --most-targets 4

Takes a folder with tables of MoleculeNet (Wu et al. 2018, doi:10.1039/C7SC02664A) under the names in `SETS`;
what is not there is left out, and said. Praski et al. 2025 (arXiv:2508.06199) found that hardly any of 25
frozen models beats ECFP in such a comparison.

For every target and seed one split by scaffolds, the same for all: the code of a model alone, with the head
that `molae fit` takes; ECFP4 counts with the very same head; and the baseline, ECFP4 counts with a random
forest. A set's figure is the mean over its targets and splits of the area under the ROC curve, or of the RMSE
divided by the deviation of the target in the test part. The 95 % interval of the difference is by a bootstrap
over targets and splits; these overlap, so it is somewhat too narrow. The last lines count the sets, and give
Wilcoxon's signed-rank test over them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from report import parser, publish
from scipy.stats import wilcoxon
from sklearn.metrics import roc_auc_score

from molae.apps.properties.assess import Labelled, SplitPlan, labelled
from molae.apps.properties.baselines import predict_baseline
from molae.apps.properties.features import Featuriser
from molae.apps.properties.model import Recipe, fit_scores
from molae.apps.properties.splits import Split
from molae.apps.properties.table import read_table
from molae.apps.rows import Source

FOREST = "ECFP4 + random forest"
PEERS = (FOREST, "ECFP4, same head")


class Set(NamedTuple):
    """A table: its file, its column of SMILES where it has an uncommon name, and its targets."""

    file: str
    targets: tuple[str, ...]
    smiles: str | None = None


SETS = {
    "ESOL": Set("delaney-processed.csv", ("measured log solubility in mols per litre",)),
    "FreeSolv": Set("SAMPL.csv", ("expt",)),
    "BACE": Set("bace.csv", ("Class",), "mol"),
    "BBBP": Set("BBBP.csv", ("BBBP",)),
    "ClinTox": Set("clintox.csv.gz", ("CT_TOX", "FDA_APPROVED")),
    "SIDER": Set("sider.csv.gz", tuple(f"SIDER{number}" for number in range(1, 28))),
    "QM7": Set("qm7.csv.gz", ("u0_atom",)),
    "Tox21": Set(
        "tox21.csv.gz",
        (
            *("NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma"),
            *("SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53"),
        ),
    ),
    "QM8": Set(
        "qm8.csv.gz",
        tuple(f"{what}-{how}" for how in ("CC2", "PBE0", "CAM") for what in ("E1", "E2", "f1", "f2")),
    ),
    "HIV": Set("HIV.csv.gz", ("HIV_active",)),
}


def figures(data: Labelled, split: Split, seed: int) -> dict[str, float]:
    """The figure of each method on one split; larger is better for areas, smaller for errors."""
    (train, target), (test, truth) = data.part(split.train), data.part(split.test)
    classes = data.class_count

    def head(features: str) -> np.ndarray:
        recipe = Recipe(features, seed=seed)
        return fit_scores(train.blocks, target, recipe, classes, {})(test.blocks)[:, 0]

    forest = predict_baseline(FOREST, train.blocks, target, test.blocks, classes, seed)
    scores = {"code": head("code"), FOREST: forest[:, 1] if classes else forest, PEERS[1]: head("ecfp")}
    if classes:
        return {name: float(roc_auc_score(truth, each)) for name, each in scores.items()}
    spread = float(np.std(truth))
    return {name: float(np.sqrt(np.mean((each - truth) ** 2))) / spread for name, each in scores.items()}


def runs(chosen: Set, arguments: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    """Task and figures of every target and split of a set."""
    targets = chosen.targets[: arguments.most_targets]
    source = Source(arguments.folder / chosen.file, chosen.smiles)
    table = read_table(source, Featuriser(("code", "ecfp"), arguments.model, "cpu"), targets)
    for name in targets:
        data = labelled(table.molecules, table.target(name))
        for seed in range(arguments.seeds):
            split = SplitPlan(seed=seed).split(data.molecules, data.places)
            yield data.target.task, figures(data, split, seed)


def compare(name: str, found: list[tuple[str, dict[str, float]]]) -> dict[str, Any]:
    """A row of the table: means, and by how much the code is better than each peer."""
    higher = found[0][0] == "classification"
    columns = {key: np.array([each[key] for _, each in found]) for key in found[0][1]}
    row: dict[str, Any] = {"set": name, "figure": "AUC" if higher else "RMSE / deviation"}
    row |= {key: float(values.mean()) for key, values in columns.items()}
    for peer in PEERS:
        gain = columns["code"] - columns[peer] if higher else columns[peer] - columns["code"]
        draws = np.random.default_rng(0).choice(gain, (2000, len(gain))).mean(axis=1)
        low, high = np.quantile(draws, (0.025, 0.975))
        row[f"better than {peer}"] = f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        row[f"_{peer}"] = float(gain.mean())
    return row


def main(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    rows = []
    for name in arguments.sets.split(","):
        if not (arguments.folder / SETS[name].file).exists():
            print(f"{name} is left out: there is no {SETS[name].file}")
            continue
        rows.append(compare(name, list(runs(SETS[name], arguments))))
        print({key: value for key, value in rows[-1].items() if not key.startswith("_")}, flush=True)
    gains = {peer: np.array([row.pop(f"_{peer}") for row in rows]) for peer in PEERS}
    publish(rows, arguments)
    for peer, gain in gains.items():
        chance = wilcoxon(gain).pvalue if len(gain) > 1 else float("nan")
        print(f"the code is better than {peer} on {(gain > 0).sum()} of {len(gain)} sets (p = {chance:.3f})")


if __name__ == "__main__":
    made = parser(__doc__)
    made.add_argument("folder", type=Path, help="folder of tables")
    made.add_argument("--sets", default=",".join(SETS), help="names of sets, joined by commas")
    made.add_argument("--model", default="graph", help="model that codes come from")
    made.add_argument("--most-targets", type=int, default=None, help="most targets of a set, the first ones")
    made.add_argument("--seeds", type=int, default=3, help="number of splits")
    main(made.parse_args())
