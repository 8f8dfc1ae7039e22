"""The permutation given by the canonical order of the graph."""

from __future__ import annotations

from torch import Tensor

from molae.align.base import ALIGNERS, Aligner
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.registry import Config


class CanonicalConfig(Config):
    """The canonical aligner has nothing to configure."""


@ALIGNERS.register("canonical", CanonicalConfig)
class CanonicalAligner(Aligner):
    """Takes the canonical order that came with the graphs (see `molae.chem.order`): nothing to learn."""

    def __init__(self, config: CanonicalConfig, schema: Schema, width: int) -> None:
        super().__init__()

    def forward(self, scalars: Tensor, batch: DenseBatch) -> tuple[Tensor, dict[str, Tensor]]:
        return batch.slot, {}
