"""The permutation that fits the decoder's output best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from molae.align.base import ALIGNERS, Aligner
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.groups.action import GroupAction
from molae.ops import assign
from molae.registry import Config


class HungarianConfig(Config):
    """The Hungarian aligner has nothing to configure."""


@ALIGNERS.register("hungarian", HungarianConfig)
class HungarianAligner(Aligner):
    """Assigns nodes to slots by their cost under what was decoded; nothing is predicted.

    Until the decoder has spoken the nodes keep the numbers they have, so this aligner goes with an encoder
    whose code does not depend on slots (`pooled`).
    """

    predicts = False

    def __init__(self, config: HungarianConfig, schema: Schema, width: int) -> None:
        super().__init__()

    def forward(self, scalars: Tensor, batch: DenseBatch) -> tuple[Tensor, dict[str, Tensor]]:
        return torch.arange(batch.mask.shape[1], device=batch.mask.device).expand_as(batch.mask), {}

    def match(self, action: GroupAction, costs: Callable[[], Tensor], batch: DenseBatch) -> GroupAction:
        return replace(action, permutation=assign(-costs(), batch.mask))
