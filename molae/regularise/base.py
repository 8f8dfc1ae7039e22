"""What all regularisers have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.registry import Registry


class Context(NamedTuple):
    """What a regulariser is told of a batch.

    Attributes:
        code: The codes, without noise.
        step: Number of the training step, counted from 0; None for after all schedules.
    """

    code: Float[Tensor, "b d"]
    step: int | None


class Regulariser(nn.Module):
    """Adds terms to the loss and, in training, noise to the code; at evaluation it has no part.

    Mirror images have codes with the odd channels negated: terms do not change with their signs.
    """

    @abstractmethod
    def forward(self, context: Context) -> Mapping[str, Tensor]:
        """Weighs the codes of a batch.

        Args:
            context: The batch.
        Returns:
            Terms of the loss by name, of which the means over the batch are added to it.
        """

    def perturb(self, code: Float[Tensor, "b d"], generator: torch.Generator) -> Float[Tensor, "b d"]:
        """Draws the codes that are decoded in training.

        Args:
            code: The codes.
            generator: Source of all randomness, on the device of the codes.
        Returns:
            The codes with noise, or as they are.
        """
        return code

    def describe(self, codes: Float[Tensor, "g d"]) -> Mapping[str, float]:
        """Tells, of all codes of a data set together, how they fare by what is asked of them.

        Args:
            codes: Codes of the graphs of the set.
        Returns:
            Figures by name.
        """
        return {}


REGULARISERS: Registry[Regulariser] = Registry("regulariser")
