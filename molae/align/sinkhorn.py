"""A learned permutation: scores between nodes and slots, made doubly stochastic."""

from __future__ import annotations

import torch
from jaxtyping import Float
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
    """Scores each node against each slot, and assigns by the best total score.

    The doubly stochastic matrix of the scores is what learns from the teacher. The rest of the model gets a
    valid permutation, in training as at evaluation: a soft one would blur the molecule that the code and the
    loss see, and leave the decoder without practice in the orders that come at evaluation. Without a teacher,
    the gradient of the reconstruction goes straight through the assignment to the matrix (Bengio et al.
    2013, arXiv:1308.3432).

    Slots count from both ends, so that the last slot of a small molecule and of a large one look alike.
    """

    reads_features = True

    def __init__(self, config: SinkhornConfig, schema: Schema, width: int) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.first = nn.Parameter(torch.randn(schema.max_nodes, width))
        self.last = nn.Parameter(torch.randn(schema.max_nodes, width))

    def forward(self, scalars: Tensor, batch: DenseBatch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self._logits(scalars, batch)
        slot = assign(logits, batch.mask)
        if not self.training:
            return slot, {}
        soft = sinkhorn(logits, batch.mask, self.config.iterations, self.config.temperature)
        if self.config.teacher == 0:
            return _straight_through(slot, soft), {}
        taught = soft.gather(2, batch.slot.unsqueeze(2)).squeeze(2).clamp(min=1e-9).log() * batch.mask
        return slot, {"permutation": -self.config.teacher * taught.sum(1)}

    def _logits(self, scalars: Tensor, batch: DenseBatch) -> Tensor:
        m = batch.mask.shape[1]
        from_end = (batch.sizes.unsqueeze(1) - 1 - torch.arange(m, device=scalars.device)).clamp(min=0)
        slots = self.first[:m] + self.last[from_end]
        return self.query(scalars) @ slots.mT / scalars.shape[-1] ** 0.5


def _straight_through(slot: Tensor, soft: Tensor) -> Float[Tensor, "b m m"]:
    """The permutation as a matrix, with the gradient of the soft one."""
    hard = nn.functional.one_hot(slot, slot.shape[1]).to(soft.dtype)
    return hard + soft - soft.detach()
