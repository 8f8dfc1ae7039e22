"""Hidden atoms told from their surroundings, by the network of the summary (Hu et al. 2020,
arXiv:1905.12265).

Of some nodes the categories are withheld; what the network knows of each of them after its messages has to
tell them: Σ over the channels of the cross-entropy, the mean over the hidden nodes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.nn.channels import CodeChannels
from molae.nn.summary import Summary
from molae.ops import full_precision
from molae.registry import Config
from molae.regularise.base import REGULARISERS, Context, Regulariser, require_summary
from molae.regularise.views import hide_nodes


class MaskedConfig(Config):
    """Configuration of the prediction of hidden nodes.

    Attributes:
        weight: Weight of the cross-entropy, in nats.
        nodes: Chance that a node is hidden.
    """

    weight: PositiveFloat = 1.0
    nodes: float = Field(default=0.15, gt=0, lt=1)


@REGULARISERS.register("masked", MaskedConfig)
class Masked(Regulariser):
    """Predicts the categories of hidden nodes.

    Args:
        config: Configuration.
        channels: Channels of the code.
        summary: Network of the summary.
    Raises:
        ConfigError: If the code has no summary.
    """

    def __init__(self, config: MaskedConfig, channels: CodeChannels, summary: Summary | None = None) -> None:
        super().__init__()
        network = require_summary("masked", channels, summary)
        self.config = config
        self.channels = channels
        self.heads = nn.ModuleList(
            nn.Linear(network.config.width, size) for size in network.schema.node_sizes
        )

    def forward(self, context: Context) -> Mapping[str, Tensor]:
        network = require_summary("masked", self.channels, context.summary)
        hidden = hide_nodes(context.batch, self.config.nodes, context.generator)
        cost = self.costs(network.nodes(context.batch, hidden), context.batch)
        return {"masked": self.config.weight * (cost * hidden).sum() / hidden.sum().clamp(min=1)}

    @full_precision
    def costs(self, nodes: Float[Tensor, "b m d"], batch: DenseBatch) -> Float[Tensor, "b m"]:
        """Nats that it takes to tell each node's categories from what the network knows of it."""
        known = nodes.to(next(self.parameters()).dtype)
        each = [
            nn.functional.cross_entropy(head(known).mT, batch.nodes[..., channel], reduction="none")
            for channel, head in enumerate(self.heads)
        ]
        return torch.stack(each).sum(0)
