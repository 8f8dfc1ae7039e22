"""What all regularisers have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.errors import ConfigError
from molae.nn.channels import CodeChannels
from molae.nn.summary import Summary
from molae.registry import Registry


class Context(NamedTuple):
    """What a regulariser is told of a batch.

    Attributes:
        code: The codes, without noise; those of the summary come first.
        step: Number of the training step, counted from 0; None for after all schedules.
        batch: The graphs.
        summary: The network of the summary, for other views of the graphs; None where the codes have none.
        generator: Draws the views, on the device of the codes; without it nothing is drawn, and every view
            is the graph itself.
    """

    code: Float[Tensor, "b d"]
    step: int | None
    batch: DenseBatch
    summary: Summary | None = None
    generator: torch.Generator | None = None


class Regulariser(nn.Module):
    """Adds terms to the loss and, in training, noise to the code; at evaluation it has no part.

    Mirror images have codes with the odd channels negated: terms do not change with their signs. The registry
    builds it from its configuration, the channels of the code, and the network of the summary or None, of
    which it keeps no more than sizes: the network itself comes with each batch.
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


def require_summary(name: str, channels: CodeChannels, summary: Summary | None) -> Summary:
    """The network of the summary.

    Raises:
        ConfigError: If the code has no summary, naming the regulariser that is about it.
    """
    if summary is None or not channels.summary:
        raise ConfigError(
            f"the regulariser {name!r} is about the summary, and the code has none: give the encoder one,"
            " as in encoder = {name = 'slots', summary = {size = 112}}"
        )
    return summary


REGULARISERS: Registry[Regulariser] = Registry("regulariser")
