"""Summaries of two views of a graph that agree, and that differ between graphs: VICReg.

With Z the expanded summaries of the graphs of a batch, Z' those of the same graphs with nodes hidden and
edges cut (Bardes, Ponce, LeCun 2022, arXiv:2105.04906), variance, invariance and covariance are asked for:

    λ |Z - Z'|² / bd  +  μ Σ over both of mean_d max(0, 1 - std_d)  +  ν Σ over both of Σ_{i≠j} cov_ij² / d
"""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from molae.nn.channels import CodeChannels
from molae.nn.summary import Summary
from molae.ops import full_precision
from molae.registry import Config
from molae.regularise.base import REGULARISERS, Context, Regulariser, require_summary
from molae.regularise.views import cut_edges, hide_nodes

_LEAST_VARIANCE = 1e-4


class VICRegConfig(Config):
    """Configuration of VICReg.

    Attributes:
        invariance: Weight λ of the difference of the two views.
        variance: Weight μ of the spread that channels lack.
        covariance: Weight ν of what channels share.
        nodes: Chance that a node is hidden in the second view.
        edges: Chance that an edge is cut in it.
        width: Channels that a summary is expanded to before it is compared.
    """

    invariance: NonNegativeFloat = 2.5
    variance: NonNegativeFloat = 2.5
    covariance: NonNegativeFloat = 0.1
    nodes: float = Field(default=0.15, ge=0, lt=1)
    edges: float = Field(default=0.05, ge=0, lt=1)
    width: PositiveInt = 256


@REGULARISERS.register("vicreg", VICRegConfig)
class VICReg(Regulariser):
    """Summaries that a hidden atom or a cut bond hardly changes.

    Args:
        config: Configuration.
        channels: Channels of the code.
        summary: Network of the summary.
    Raises:
        ConfigError: If the code has no summary.
    """

    def __init__(self, config: VICRegConfig, channels: CodeChannels, summary: Summary | None = None) -> None:
        super().__init__()
        require_summary("vicreg", channels, summary)
        self.config = config
        self.size = channels.summary
        self.expand = nn.Sequential(
            nn.Linear(self.size, config.width), nn.GELU(), nn.Linear(config.width, config.width)
        )

    def forward(self, context: Context) -> Mapping[str, Tensor]:
        summary = require_summary("vicreg", CodeChannels(self.size, 0), context.summary)
        hidden = hide_nodes(context.batch, self.config.nodes, context.generator)
        view = summary(cut_edges(context.batch, self.config.edges, context.generator), hidden)
        return self.compare(context.code[:, : self.size], view)

    @full_precision
    def compare(self, first: Float[Tensor, "b c"], other: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        """The three terms, for the summaries of two views."""
        precision = next(self.parameters()).dtype
        views = [self.expand(each.to(precision)) for each in (first, other)]
        return {
            "invariance": self.config.invariance * (views[0] - views[1]).square().mean(),
            "variance": self.config.variance * sum(map(_lacking_spread, views)),
            "covariance": self.config.covariance * sum(map(_shared, views)),
        }


def _lacking_spread(x: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """What the standard deviations of the channels lack to 1, their mean."""
    variance = (x - x.mean(0)).square().sum(0) / max(1, len(x) - 1)
    return (1 - (variance + _LEAST_VARIANCE).sqrt()).relu().mean()


def _shared(x: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """Squares of the covariances of different channels, summed, over the number of channels."""
    centred = x - x.mean(0)
    covariance = centred.mT @ centred / max(1, len(x) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / x.shape[1]
