"""A tiny model and data set with the interfaces of the real ones, so that these tests are about training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from molae.autoencoder import AutoencoderConfig
from molae.batch.dense import DenseBatch
from molae.batch.packed import PackedDataset, pack
from molae.batch.schema import Schema
from molae.training.config import TrainConfig
from molae.training.loop import Loop
from molae.training.run import split
from molae.types import Graph

SCHEMA = Schema(node_channels=(("element", 4),), edge_types=2, max_nodes=8)


class TinyAutoencoder(nn.Module):
    """Predicts the positions of nodes from their elements, with optional noise on its hidden layer.

    Args:
        config: Kept, not used.
        schema: Kept, not used.
        noise: Standard deviation of the noise.
    """

    targets = None

    def __init__(self, config: AutoencoderConfig, schema: Schema, noise: float = 0.1) -> None:
        super().__init__()
        self.config = config
        self.schema = schema
        self.noise = noise
        self.embedding = nn.Embedding(4, 16)
        self.hidden = nn.Linear(16, 16)
        self.output = nn.Linear(16, 3)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def _errors(self, batch: DenseBatch, noise: Tensor | float) -> Tensor:
        """Mean squared error of the positions of each graph, in Å²."""
        hidden = torch.tanh(self.hidden(self.embedding(batch.nodes[..., 0]))) + noise
        squares = (self.output(hidden) - batch.pos).square().sum(-1) * batch.mask
        return squares.sum(1) / batch.sizes

    def loss(self, batch: DenseBatch, generator: torch.Generator | None, step: int) -> dict[str, Tensor]:
        self.calls += 1
        noise = self.noise * torch.randn(16, generator=generator, device=batch.pos.device)
        loss = self._errors(batch, noise).mean()
        return {"loss": loss, "position": loss}

    def evaluate(self, batch: DenseBatch) -> dict[str, Tensor]:
        squares = self._errors(batch, 0.0)
        return {"exact": squares < 2.0, "rmsd": squares.sqrt()}


class SilentTinyAutoencoder(TinyAutoencoder):
    """The same without noise, whose loss is the same however the batch is shared."""

    def __init__(self, config: AutoencoderConfig, schema: Schema) -> None:
        super().__init__(config, schema, noise=0.0)


def random_graph(size: int, random: np.random.Generator) -> Graph:
    """A path of random elements at random positions."""
    chain = np.arange(size - 1)
    edges = np.zeros((size, size), dtype=np.int64)
    edges[chain, chain + 1] = edges[chain + 1, chain] = 1
    return Graph(
        nodes=random.integers(4, size=(size, 1)),
        edges=edges,
        pos=random.normal(size=(size, 3)),
        slot=np.arange(size),
        mirror_slot=np.arange(size),
        tie=np.zeros(size, dtype=np.int64),
    )


def write_data(path: Path, count: int = 60, seed: int = 0) -> Path:
    """Packs random graphs of 2 to 8 nodes."""
    random = np.random.default_rng(seed)
    graphs = [(row, random_graph(int(random.integers(2, 9)), random)) for row in range(count)]
    pack(graphs, SCHEMA, path)
    return path


def train_silent(config: TrainConfig, data: Path, output: Path, fabric: Fabric) -> None:
    """What each of several processes runs: the model without noise."""
    torch.manual_seed(config.training.seed)
    training, validation = split(PackedDataset.load(data), None, config.training)
    model = SilentTinyAutoencoder(config.model, training.schema)
    Loop(fabric, model, config, training, validation, output).run()
