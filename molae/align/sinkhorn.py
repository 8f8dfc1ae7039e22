"""A learned permutation: scores between nodes and slots, made doubly stochastic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molae.align.base import ALIGNERS, Aligner
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.ops import assign, sinkhorn
from molae.registry import Config


class SinkhornConfig(Config):
    """Configuration of the Sinkhorn aligner.

    Attributes:
        iterations: Normalisations of rows and columns.
        temperature: Divides the scores.
        teacher: Weight of the cross-entropy to the canonical order; 0 learns the order from reconstruction
            alone.
    """

    iterations: int = 10
    temperature: float = 1.0
    teacher: float = 1.0


@ALIGNERS.register("sinkhorn", SinkhornConfig)
class SinkhornAligner(Aligner):
    """Scores each node against each slot; Sinkhorn while training, Hungarian assignment at evaluation.

    Slots count from both ends, so that the last slot of a small molecule and of a large one look alike.
    """

    def __init__(self, config: SinkhornConfig, schema: Schema, width: int) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.first = nn.Parameter(torch.randn(schema.max_nodes, width))
        self.last = nn.Parameter(torch.randn(schema.max_nodes, width))

    def forward(self, scalars: Tensor, batch: DenseBatch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self._logits(scalars, batch)
        if not self.training:
            return assign(logits, batch.mask), {}
        soft = sinkhorn(logits, batch.mask, self.config.iterations, self.config.temperature)
        taught = soft.gather(2, batch.slot.unsqueeze(2)).squeeze(2).clamp(min=1e-9).log() * batch.mask
        return soft, {"permutation": -self.config.teacher * taught.sum(1)}

    def _logits(self, scalars: Tensor, batch: DenseBatch) -> Tensor:
        m = batch.mask.shape[1]
        from_end = (batch.sizes.unsqueeze(1) - 1 - torch.arange(m, device=scalars.device)).clamp(min=0)
        slots = self.first[:m] + self.last[from_end]
        return self.query(scalars) @ slots.mT / scalars.shape[-1] ** 0.5
