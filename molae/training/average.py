"""The moving average of the weights, which is what is validated and exported."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from molae.checkpoint import AnyModel
from molae.training.schedule import average_decay


class AveragedWeights:
    """Exponential moving average of a model's weights, as a model of its own in evaluation mode.

    Args:
        model: The model whose weights are averaged, already on its device.
        decay: Decay after the warm-up (see `average_decay`).
    """

    def __init__(self, model: AnyModel, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self._averages = list[Tensor](self.model.parameters())
        self._weights = list[Tensor](model.parameters())
        self._buffers = list(zip(self.model.buffers(), model.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after the update of one step; buffers are copied."""
        torch._foreach_lerp_(self._averages, self._weights, 1 - average_decay(step, self.decay))
        for copied, buffer in self._buffers:
            copied.copy_(buffer)
