"""Molecules per second of a training step against a plain PyTorch Geometric autoencoder of as many
parameters.

A step is forward, backward and AdamW, on one batch that is in memory already; both sides get the same
molecules. The peer is `baselines/egnn_softsort.py`: EGNN encoder on sparse edges, SoftSort permuter,
transformer decoder. Contenders take turns, so that a busy machine slows all of them; medians over the turns.
Without `--data` the molecules are random trees with `--nodes` atoms.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from baselines.egnn_softsort import EGNNSoftSort, sparse_batch
from report import parser, publish
from torch import Tensor, nn

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.dense import DenseBatch
from molae.batch.packed import PackedDataset
from molae.batch.schema import Schema
from molae.chem.vocabulary import BONDS, NODE_CHANNELS
from molae.training.config import TrainingConfig
from molae.training.loop import build_optimizer

PEER = "EGNN + SoftSort"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    batch, schema = _molecules(arguments)
    batch = batch.to(arguments.device)
    molecule = _molae(schema, arguments, layers=0)
    models: dict[str, nn.Module] = {
        PEER: _peer(schema, arguments, _count(molecule)),
        "molecule": molecule,
        f"molecule, layers={arguments.layers}": _molae(schema, arguments, arguments.layers),
    }
    sparse = sparse_batch(batch.to("cpu")).to(arguments.device)
    steps: dict[tuple[str, str], Callable[[], None]] = {}
    for name, model in models.items():
        model.to(arguments.device).train()
        optimizer = build_optimizer(model, TrainingConfig())  # type: ignore[arg-type]
        loss = (
            partial(_molae_loss, model, batch) if isinstance(model, Autoencoder) else partial(model, sparse)
        )
        for precision, dtype in DTYPES.items():
            steps[name, precision] = partial(_step, loss, optimizer, arguments.device, dtype)
    seconds = measure(steps, arguments)
    rows = []
    for (name, precision), times in seconds.items():
        row = {"model": name, "precision": precision, "parameters": _count(models[name])}
        row["molecules/s"] = round(len(batch) / statistics.median(times))
        row["least"] = round(len(batch) / max(times))
        row["most"] = round(len(batch) / min(times))
        for other in DTYPES:
            row[f"× peer {other}"] = _median_ratio(seconds[PEER, other], times)
        rows.append(row)
    publish(rows, arguments, batch=len(batch), nodes=float(batch.sizes.float().mean()))


def measure(
    steps: dict[tuple[str, str], Callable[[], None]], arguments: argparse.Namespace
) -> dict[tuple[str, str], list[float]]:
    """Seconds of one step of each contender, one figure for each turn; the contenders take turns."""
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in steps}
    for step in steps.values():
        step()
    for _ in range(arguments.repeats):
        for key, step in steps.items():
            _synchronise(arguments.device)
            start = time.perf_counter()
            for _ in range(arguments.steps):
                step()
            _synchronise(arguments.device)
            seconds[key].append((time.perf_counter() - start) / arguments.steps)
    return seconds


def _step(
    loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer, device: str, dtype: torch.dtype
) -> None:
    with torch.autocast(torch.device(device).type, dtype, enabled=dtype != torch.float32):
        value = loss()
    value.backward()
    optimizer.step()
    optimizer.zero_grad()


def _molae_loss(model: Autoencoder, batch: DenseBatch) -> Tensor:
    return model.loss(batch)["loss"]


def _median_ratio(peer: list[float], times: list[float]) -> float:
    """Median over the turns of how many times as fast as the peer of the same turn."""
    return round(statistics.median(a / b for a, b in zip(peer, times, strict=True)), 2)


def _molae(schema: Schema, arguments: argparse.Namespace, layers: int) -> Autoencoder:
    config = AutoencoderConfig(
        code_size=arguments.code_size,
        encoder={"name": "slots", "layers": layers, "head_width": 512, "head_depth": 2},
        decoder={"name": "slots", "head_width": 512, "head_depth": 2},
    )
    return Autoencoder(config, schema)


def _peer(schema: Schema, arguments: argparse.Namespace, parameters: int) -> EGNNSoftSort:
    """The peer of the width at which it has about as many parameters."""
    build = partial(EGNNSoftSort, schema, arguments.code_size, layers=arguments.peer_layers)
    widths = range(64, 513, 8)
    with torch.device("meta"):
        best = min(widths, key=lambda width: abs(_count(build(width)) - parameters))
    return build(best)


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _synchronise(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def _molecules(arguments: argparse.Namespace) -> tuple[DenseBatch, Schema]:
    random = np.random.default_rng(arguments.seed)
    if arguments.data is not None:
        data = PackedDataset.load(arguments.data)
        return data.batch(random.choice(len(data), arguments.batch_size, replace=False)), data.schema
    schema = Schema(node_channels=NODE_CHANNELS, edge_types=len(BONDS), max_nodes=arguments.nodes)
    return _random_trees(arguments.batch_size, schema, random), schema


def _random_trees(count: int, schema: Schema, random: np.random.Generator) -> DenseBatch:
    """Random trees of `schema.max_nodes` nodes at random positions."""
    n = schema.max_nodes
    edges = np.zeros((count, n, n), dtype=np.int64)
    graph = np.arange(count)
    for node in range(1, n):
        parent = random.integers(0, node, count)
        edges[graph, node, parent] = edges[graph, parent, node] = 1
    slot = torch.arange(n).repeat(count, 1)
    return DenseBatch(
        nodes=torch.from_numpy(random.integers(0, schema.node_sizes, (count, n, len(schema.node_sizes)))),
        edges=torch.from_numpy(edges),
        mask=torch.ones(count, n, dtype=torch.bool),
        pos=torch.from_numpy(2.0 * random.standard_normal((count, n, 3), dtype=np.float32)),
        slot=slot,
        mirror_slot=slot,
        tie=torch.zeros_like(slot),
    )


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--data", type=Path, help="packed graphs to take the batch from")
    made.add_argument("--nodes", type=int, default=9, help="atoms of the random trees (default 9)")
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--code-size", type=int, default=256)
    made.add_argument(
        "--layers", type=int, default=2, help="rounds of messages of molae's second configuration"
    )
    made.add_argument("--peer-layers", type=int, default=4, help="layers of the peer's encoder and decoder")
    made.add_argument("--steps", type=int, default=3, help="steps in a turn")
    made.add_argument("--repeats", type=int, default=9, help="turns of each contender")
    made.add_argument("--device", default="cpu")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
