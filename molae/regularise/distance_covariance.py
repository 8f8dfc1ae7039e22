"""Summaries that do not tell the size of a graph: their distance correlation with it is pressed to 0.

Distance correlation is 0 for independent variables alone, where a correlation sees no more than lines
(Székely, Rizzo, Bakirov 2007, doi:10.1214/009053607000000505). With many channels the first estimate is far
too high; taken is the unbiased one (Székely, Rizzo 2014, doi:10.1214/14-AOS1255): with A and B the U-centred
distances within a batch of the summaries and of the sizes,

    dCor² = Σ A B / √(Σ A² Σ B²)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from molae.nn.channels import CodeChannels
from molae.nn.summary import Summary
from molae.ops import full_precision, safe_norm
from molae.registry import Config
from molae.regularise.base import REGULARISERS, Context, Regulariser, require_summary

FEWEST_GRAPHS = 4
"""Of fewer, distances have nothing left once they are centred."""


class DistanceCovarianceConfig(Config):
    """Configuration of the independence of the size.

    Attributes:
        weight: Weight of the squared distance correlation.
    """

    weight: PositiveFloat = 1.0


@REGULARISERS.register("distance-covariance", DistanceCovarianceConfig)
class DistanceCovariance(Regulariser):
    """Takes the number of nodes out of the summary.

    It sees what the sizes within a batch tell, and batches hold graphs of similar size: with a `window` of
    `[training]` below its default they differ more.

    Args:
        config: Configuration.
        channels: Channels of the code.
        summary: Network of the summary.
    Raises:
        ConfigError: If the code has no summary.
    """

    def __init__(
        self, config: DistanceCovarianceConfig, channels: CodeChannels, summary: Summary | None = None
    ) -> None:
        super().__init__()
        require_summary("distance-covariance", channels, summary)
        self.config = config
        self.size = channels.summary

    def forward(self, context: Context) -> Mapping[str, Tensor]:
        summaries, sizes = context.code[:, : self.size], context.batch.sizes
        return {"size_dependence": self.config.weight * distance_correlation(summaries, sizes.unsqueeze(1))}


@full_precision
def distance_correlation(x: Float[Tensor, "b d"], y: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
    """The squared distance correlation of two variables, estimated without bias.

    Args:
        x: Draws of the one.
        y: Draws of the other.
    Returns:
        1 where distances in x are those in y but for their scale, about 0 where the two are independent; 0
        where one of them does not vary, or of fewer than `FEWEST_GRAPHS` draws.
    """
    x = x if x.dtype == torch.float64 else x.float()
    if len(x) < FEWEST_GRAPHS:
        return x.sum() * 0
    a, b = (_centred_distances(each.to(x.dtype)) for each in (x, y))
    scale = a.square().sum() * b.square().sum()
    varies = scale > torch.finfo(x.dtype).tiny
    return (a * b).sum() / scale.where(varies, 1.0).sqrt()


def _centred_distances(x: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
    """Distances less their means over rows and columns, so that what is off the diagonal sums to 0."""
    count = len(x)
    distances = safe_norm(x.unsqueeze(1) - x.unsqueeze(0)).squeeze(2)
    rows = distances.sum(1)
    centred = distances - (rows.unsqueeze(1) + rows) / (count - 2) + rows.sum() / ((count - 1) * (count - 2))
    return centred - centred.diagonal().diag()
