"""A learned permutation: nodes sorted by one score (Prillo and Eisenschlos 2020, arXiv:2006.16038)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molae.align.base import ALIGNERS, Aligner
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.registry import Config


class SoftSortConfig(Config):
    """Configuration of the SoftSort aligner.

    Attributes:
        temperature: Divides the differences of scores.
        teacher: Weight of the cross-entropy to the canonical order; 0 learns the order from reconstruction
            alone.
    """

    temperature: float = 1.0
    teacher: float = 1.0


@ALIGNERS.register("softsort", SoftSortConfig)
class SoftSortAligner(Aligner):
    """Sorts the nodes by a learned score, softly while training.

    The published permuter of PIGVAE and GIAE. The soft matrix has rows that sum to one, its columns need not.
    """

    reads_features = True

    def __init__(self, config: SoftSortConfig, schema: Schema, width: int) -> None:
        super().__init__()
        self.config = config
        self.score = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, scalars: Tensor, batch: DenseBatch) -> tuple[Tensor, dict[str, Tensor]]:
        m = batch.mask.shape[1]
        score = self.score(scalars).squeeze(-1)
        # Padding sorts behind every real node, each at a place of its own.
        behind = score.detach().amax(1, keepdim=True) + 1e3 * (1 + torch.arange(m, device=score.device))
        score = torch.where(batch.mask, score, behind)
        ordered = score.sort(dim=1, stable=True)
        if not self.training:
            return ordered.indices.argsort(dim=1), {}
        difference = (score.unsqueeze(2) - ordered.values.unsqueeze(1)).abs() / self.config.temperature
        soft = torch.softmax(-difference, dim=2)
        taught = soft.gather(2, batch.slot.unsqueeze(2)).squeeze(2).clamp(min=1e-9).log() * batch.mask
        return soft, {"permutation": -self.config.teacher * taught.sum(1)}
