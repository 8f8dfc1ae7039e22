"""What codes know of the HOMO-LUMO gap of QM9 molecules: heads fitted on codes, MAE in eV.

Takes the codes of QM9 structures (`molae embed qm9_structures.parquet --model molecule-qm9 -o codes.parquet`,
which keeps the column `gdb_index`) and the table of targets (`gdb_index`, `gap` in hartree). Rows with
`gdb_index % 20 == 0` test, `% 20 == 1` validate, the rest train; rows without a code or a gap are left out
and counted. The encoder is never changed but by the last. Heads:

- mean: the mean of the training part;
- ridge: linear, on the code alone;
- boosting: histogram gradient boosting (scikit-learn), stopped early on the validation part of its own;
- mlp: a perceptron with SiLU units and dropout, AdamW, cosine schedule, absolute error, the epoch chosen by
  the validation part; `--seeds` of them, and the mean of their predictions;
- tuned: the network of the summary and one on distances, fine-tuned as `molae fit --fine-tune` does, from
  `--structures`; training and validation part are one, of which it holds out what it needs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow.csv as pacsv
import torch
from report import parser, publish
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from torch import nn

from molae.apps.explore.codes import read_codes
from molae.apps.properties.features import Featuriser
from molae.apps.properties.model import GRAPHS, Recipe, fit_property
from molae.apps.properties.table import read_table
from molae.apps.rows import Source
from molae.nn.summary import Summary

HARTREE = 27.211386245988  # eV, CODATA 2018


@dataclass(frozen=True)
class Part:
    """Codes, standardised, and gaps in eV; of structures, packed graphs and the network too."""

    x: np.ndarray
    y: np.ndarray
    graphs: np.ndarray | None
    network: Summary | None

    def __len__(self) -> int:
        return len(self.y)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    gaps = read_gaps(arguments.targets)
    parts, left_out = load(arguments.structures or arguments.codes, gaps, arguments)
    rows = []
    for name in arguments.heads:
        for row in HEADS[name](parts, arguments):
            rows.append(row)
            print(row, flush=True)
    sizes = {name: len(part) for name, part in parts.items()}
    publish(rows, arguments, molecules=sizes, left_out=left_out)


def read_gaps(targets: Path) -> dict[int, float]:
    """The gap of each molecule by its number, in eV."""
    table = pacsv.read_csv(targets)
    pairs = zip(table["gdb_index"].to_pylist(), table["gap"].to_pylist(), strict=True)
    return {index: HARTREE * gap for index, gap in pairs if gap is not None}


def load(file: Path, gaps: dict[int, float], arguments: argparse.Namespace) -> tuple[dict[str, Part], int]:
    """Joins codes, or what is made of structures, and gaps, and splits them."""
    if arguments.structures:
        featuriser = Featuriser(("code", GRAPHS), arguments.model, "cpu")
        table = read_table(Source(file), featuriser, ["gdb_index"], most=1_000_000)
        blocks = table.molecules.blocks
        x, graphs, network = blocks["code"], blocks[GRAPHS], featuriser.network
        index, valid, failed = np.array(table.cells["gdb_index"]), True, len(table.molecules.errors)
    else:
        read = read_codes(file)
        x, graphs, network, failed = read.vectors, None, None, 0
        index, valid = read.columns["gdb_index"].to_numpy(), read.valid
    y = np.array([gaps.get(each, np.nan) for each in index.tolist()])
    usable = valid & np.isfinite(y)
    places = {
        "test": usable & (index % 20 == 0),
        "validation": usable & (index % 20 == 1),
        "train": usable & (index % 20 > 1),
    }
    scaler = StandardScaler().fit(x[places["train"]])
    parts = {
        name: Part(
            scaler.transform(x[chosen]).astype(np.float32),
            y[chosen],
            None if graphs is None else graphs[chosen],
            network,
        )
        for name, chosen in places.items()
    }
    return parts, failed + int((~usable).sum())


def mean(parts: dict[str, Part], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    yield _row("mean", parts["test"], np.full(len(parts["test"]), parts["train"].y.mean()), 0.0)


def ridge(parts: dict[str, Part], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    start = perf_counter()
    head = RidgeCV(np.logspace(-2, 4, 13)).fit(parts["train"].x, parts["train"].y)
    yield _row("ridge", parts["test"], head.predict(parts["test"].x), perf_counter() - start)


def boosting(parts: dict[str, Part], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    start = perf_counter()
    head = HistGradientBoostingRegressor(
        max_iter=500, learning_rate=0.1, max_leaf_nodes=63, early_stopping=True, random_state=0
    ).fit(parts["train"].x, parts["train"].y)
    yield _row("boosting", parts["test"], head.predict(parts["test"].x), perf_counter() - start)


def mlp(parts: dict[str, Part], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    found = []
    for seed in range(arguments.seeds):
        start = perf_counter()
        found.append(_fit_mlp(parts, arguments, seed))
        yield _row(f"mlp, seed {seed}", parts["test"], found[-1], perf_counter() - start)
    if len(found) > 1:
        yield _row(f"mlp, mean of {len(found)}", parts["test"], np.mean(found, axis=0), 0.0)


def tuned(parts: dict[str, Part], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    fitted = [parts["train"], parts["validation"]]
    blocks = {
        "code": np.concatenate([part.x for part in fitted]),
        GRAPHS: np.concatenate([part.graphs for part in fitted]),
    }
    gaps = np.concatenate([part.y for part in fitted])
    for seed in range(arguments.seeds):
        start = perf_counter()
        recipe = Recipe("code", "ridge", seed=seed, fine_tune=True)
        groups = np.random.default_rng(seed).permutation(len(gaps))
        model = fit_property(blocks, gaps, groups, recipe, network=fitted[0].network)
        predicted = model.predict({"code": parts["test"].x, GRAPHS: parts["test"].graphs})
        yield _row(f"tuned, seed {seed}", parts["test"], predicted.value, perf_counter() - start)


def _fit_mlp(parts: dict[str, Part], arguments: argparse.Namespace, seed: int) -> np.ndarray:
    torch.manual_seed(seed)
    train, held = parts["train"], parts["validation"]
    centre, scale = float(train.y.mean()), float(train.y.std())
    x, y = torch.from_numpy(train.x), torch.from_numpy(((train.y - centre) / scale).astype(np.float32))
    sizes = [x.shape[1], *[arguments.width] * arguments.depth]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.SiLU(), nn.Dropout(arguments.dropout)]
    head = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))
    steps = arguments.epochs * (len(x) // arguments.batch_size)
    optimiser = torch.optim.AdamW(head.parameters(), lr=arguments.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, arguments.learning_rate, total_steps=steps)
    best, kept = np.inf, np.empty(0)
    for epoch in range(arguments.epochs):
        head.train()
        order = torch.randperm(len(x))
        for start in range(0, len(x) - arguments.batch_size + 1, arguments.batch_size):
            chosen = order[start : start + arguments.batch_size]
            loss = (head(x[chosen])[:, 0] - y[chosen]).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        error = np.abs(_predict(head, held.x) * scale + centre - held.y).mean()
        print(f"seed {seed}, epoch {epoch + 1}: validation {error:.4f} eV", flush=True)
        if error < best:
            best, kept = error, _predict(head, parts["test"].x) * scale + centre
    return kept


def _predict(head: nn.Module, x: np.ndarray) -> np.ndarray:
    head.eval()
    with torch.inference_mode():
        return torch.cat([head(part)[:, 0] for part in torch.from_numpy(x).split(4096)]).numpy()


def _row(name: str, test: Part, predicted: np.ndarray, seconds: float) -> dict[str, Any]:
    errors = predicted - test.y
    return {
        "head": name,
        "mae eV": float(np.abs(errors).mean()),
        "rmse eV": float(np.sqrt((errors**2).mean())),
        "r2": float(1 - (errors**2).sum() / ((test.y - test.y.mean()) ** 2).sum()),
        "seconds": round(seconds, 1),
    }


HEADS = {"mean": mean, "ridge": ridge, "boosting": boosting, "mlp": mlp, "tuned": tuned}


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    given = made.add_mutually_exclusive_group(required=True)
    given.add_argument("--codes", type=Path, help="codes of QM9 structures")
    given.add_argument("--structures", type=Path, help="the structures themselves, for the head `tuned`")
    made.add_argument("--model", default="molecule-qm9", help="whose summary is fine-tuned")
    made.add_argument("--targets", type=Path, required=True, help="table of targets (.csv, .csv.gz)")
    made.add_argument("--heads", nargs="+", default=["ridge"], choices=list(HEADS))
    made.add_argument("--width", type=int, default=512, help="width of the perceptron")
    made.add_argument("--depth", type=int, default=3, help="hidden layers of the perceptron")
    made.add_argument("--dropout", type=float, default=0.0, help="dropout of the perceptron")
    made.add_argument("--epochs", type=int, default=30)
    made.add_argument("--batch-size", type=int, default=256)
    made.add_argument("--learning-rate", type=float, default=1e-3)
    made.add_argument("--seeds", type=int, default=1, help="perceptrons to fit")
    return made.parse_args()


if __name__ == "__main__":
    main()
