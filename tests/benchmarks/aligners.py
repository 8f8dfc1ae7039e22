"""The four aligners at equal budget: same data, steps, seeds and, within a few per cent, parameters.

Each model is trained from scratch on packed graphs (`molae pack`) and evaluated on others:

    exact       graphs rebuilt without any wrong number, node or edge (compared as arrays), in %
    rmsd        median over the graphs, as posed by the model's own action, in Å
    valid       permutations at evaluation that are permutations, in %
    nodes       nodes, and `graphs` graphs with all nodes, that are given the slot of the canonical order, in
    %

`hungarian` assigns by the decoder's output; its slots need not be the canonical ones.
`canonical-0` is the shipped configuration, without message passing; the others share a trunk of `--layers`.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import parser, publish, table
from torch import Tensor

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.dense import DenseBatch
from molae.batch.packed import PackedDataset
from molae.batch.schema import Schema
from molae.checkpoint import load_checkpoint
from molae.groups.permutation import SymmetricGroup
from molae.training import train
from molae.training.config import TrainConfig, TrainingConfig

ALIGNERS = ("canonical-0", "canonical", "sinkhorn", "softsort", "hungarian")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING, format="%(message)s")
    test = PackedDataset.load(arguments.test)
    if arguments.test_size:
        order = np.random.default_rng(0).permutation(len(test))
        test = test.subset(np.sort(order[: arguments.test_size]))
    reference = count(model_config("canonical", arguments), test.schema)
    rows = []
    for name in arguments.aligners:
        config = matched(name, reference, arguments, test.schema)
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as folder:
                start = time.monotonic()
                run = train(_training(config, arguments, seed), arguments.train, Path(folder) / "run")
                seconds = time.monotonic() - start
                model = load_checkpoint(run / "last")
            row = {"aligner": name, "seed": seed, **figures(model, test)}
            rows.append(row | {"parameters": count(config, test.schema), "seconds": round(seconds)})
            print(table(rows[-1:]), flush=True)
    publish(rows, arguments, test_graphs=len(test))


def model_config(name: str, arguments: argparse.Namespace, head_width: int = 512) -> AutoencoderConfig:
    """Configuration of the autoencoder with an aligner."""
    aligner = name.removesuffix("-0")
    encoder = {
        "name": "pooled" if aligner == "hungarian" else "slots",
        "layers": 0 if name.endswith("-0") else arguments.layers,
        "head_width": head_width,
    }
    return AutoencoderConfig(code_size=arguments.code_size, encoder=encoder, aligner={"name": aligner})


def count(config: AutoencoderConfig, schema: Schema) -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in Autoencoder(config, schema).parameters())


def matched(name: str, reference: int, arguments: argparse.Namespace, schema: Schema) -> AutoencoderConfig:
    """The configuration whose encoder is as wide as it takes to have about `reference` parameters."""
    configs = [model_config(name, arguments, width) for width in range(256, 769, 16)]
    return min(configs, key=lambda config: abs(count(config, schema) - reference))


@torch.no_grad()
def figures(model: Autoencoder, test: PackedDataset) -> dict[str, float]:
    """The columns of the table, over a data set."""
    random = torch.Generator().manual_seed(0)
    parts: dict[str, list[Tensor]] = {}
    for graphs in np.array_split(np.argsort(test.sizes, kind="stable"), max(1, len(test) // 128)):
        # Packed nodes lie in canonical order: only in another one is it a feat to find that order.
        batch = _renumbered(test.batch(graphs), random)
        for name, values in (model.evaluate(batch) | _agreement(model, batch)).items():
            parts.setdefault(name, []).append(values)
    joined = {name: torch.cat(values).double() for name, values in parts.items()}
    return {
        "exact": 100 * float(joined["exact"].mean()),
        "rmsd": float(joined["rmsd"].median()),
        "valid": 100 * float(joined["valid"].mean()),
        "nodes": 100 * float(joined["right"].sum() / joined["sizes"].sum()),
        "graphs": 100 * float((joined["right"] == joined["sizes"]).double().mean()),
    }


def _agreement(model: Autoencoder, batch: DenseBatch) -> dict[str, Tensor]:
    _, _, action = model.reconstruct(batch)
    slot = action.hard_index
    right = ((slot == batch.slot) & batch.mask).sum(1)
    return {"valid": _is_valid(slot, batch), "right": right, "sizes": batch.sizes}


def _is_valid(slot: Tensor, batch: DenseBatch) -> Tensor:
    """Whether the real nodes of each graph fill the first slots, one each."""
    inside = ((slot < batch.sizes.unsqueeze(1)) | ~batch.mask).all(1)
    filled = torch.where(batch.mask, slot, torch.arange(slot.shape[1]))
    return SymmetricGroup(slot.shape[1]).contains(filled) & inside


def _renumbered(batch: DenseBatch, random: torch.Generator) -> DenseBatch:
    """The batch with the real nodes of each graph in random order."""
    draws = torch.rand(batch.mask.shape, generator=random) + 2.0 * ~batch.mask
    return batch.renumber(draws.argsort(1))


def _training(config: AutoencoderConfig, arguments: argparse.Namespace, seed: int) -> TrainConfig:
    settings: dict[str, Any] = {
        "steps": arguments.steps,
        "batch_size": arguments.batch_size,
        "learning_rate": arguments.learning_rate,
        "final_learning_rate": 1e-6,
        "warmup_steps": min(300, arguments.steps // 10),
        "weight_decay": 0.001,
        "betas": (0.9, 0.98),
        "gradient_clip": 5.0,
        "ema_decay": 0.99,
        "precision": arguments.precision,
        "validate_every": arguments.steps,
        "validation_size": 100,
        "log_every": max(1, min(100, arguments.steps // 10)),
        "seed": seed,
        "accelerator": arguments.accelerator,
    }
    return TrainConfig(model=config, training=TrainingConfig(**settings))


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--train", type=Path, required=True, help="packed graphs to train on")
    made.add_argument("--test", type=Path, required=True, help="packed graphs to evaluate on")
    made.add_argument("--test-size", type=int, default=0, help="evaluate on so many of them (default all)")
    made.add_argument("--aligners", nargs="+", default=list(ALIGNERS), choices=ALIGNERS)
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--steps", type=int, default=4000)
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--learning-rate", type=float, default=1.5e-3)
    made.add_argument("--code-size", type=int, default=256)
    made.add_argument("--layers", type=int, default=2, help="rounds of messages of the trunk (default 2)")
    made.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"))
    made.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "cuda"))
    made.add_argument("--verbose", action="store_true", help="show the progress of training")
    return made.parse_args()


if __name__ == "__main__":
    main()
