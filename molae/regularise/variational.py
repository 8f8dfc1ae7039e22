"""The variational form: codes are means of normal distributions that are kept near the standard one.

The posterior of a graph is N(z, diag σ²(z)) with z its code, and the prior N(0, 1). The loss gets

    w(t) Σ_d max(KL_d, λ),    KL_d = mean over the batch of (z² + σ² - 1 - ln σ²) / 2

(Kingma and Welling 2014, arXiv:1312.6114; free bits λ after Kingma et al. 2016, arXiv:1606.04934). A channel
may thus hold λ nats for nothing, which keeps channels from being given up. A divergence that counts from the
first step would have the code given up whole: the weight w is 0 for a while, then rises.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat
from torch import Tensor, nn

from molae.nn.channels import CodeChannels
from molae.nn.summary import Summary
from molae.ops import full_precision
from molae.registry import Config
from molae.regularise.base import REGULARISERS, Context, Regulariser

LEAST_LOG_VARIANCE = -12.0
ACTIVE_VARIANCE = 0.01
"""Variance of the mean over the graphs above which a channel counts as active (Burda et al. 2016,
arXiv:1509.00519)."""


class VariationalConfig(Config):
    """Configuration of the variational form.

    Attributes:
        weight: Weight of the divergence once it has risen; with 1 the loss of a graph without coordinates is
            the negative evidence lower bound, but for the free bits.
        free_nats: Divergence in nats below which a channel is not pressed on.
        delay: Training steps in which the divergence counts for nothing.
        rise: Steps after them over which its weight rises linearly.
    """

    weight: PositiveFloat = 0.1
    free_nats: NonNegativeFloat = 0.05
    delay: NonNegativeInt = 1000
    rise: NonNegativeInt = 1000


@REGULARISERS.register("variational", VariationalConfig)
class VariationalRegulariser(Regulariser):
    """Normal noise of learned width on the code in training, and the divergence from the standard normal.

    Args:
        config: Configuration.
        channels: Channels of the code.
        summary: Has no part here.
    """

    def __init__(
        self, config: VariationalConfig, channels: CodeChannels, summary: Summary | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.even_size = channels.summary + channels.even
        self.width = nn.Linear(channels.size, channels.size)
        # All posteriors alike and narrow at the start, so that training begins as without noise.
        nn.init.zeros_(self.width.weight)
        nn.init.zeros_(self.width.bias)

    @full_precision
    def log_variance(self, code: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Logarithm of the variance of the posteriors; no posterior is wider than the prior."""
        even, odd = code[:, : self.even_size], code[:, self.even_size :]
        seen = torch.cat([even, odd.abs()], dim=1).to(self.width.weight.dtype)
        return LEAST_LOG_VARIANCE * torch.sigmoid(self.width(seen))

    @full_precision
    def divergence(self, code: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Divergence of the posteriors from the prior in nats, channel by channel."""
        log_variance = self.log_variance(code)
        mean = code.to(log_variance.dtype)
        return (mean.square() + log_variance.exp() - 1 - log_variance) / 2

    def forward(self, context: Context) -> Mapping[str, Tensor]:
        divergence = self.divergence(context.code).mean(0)
        return {"divergence": self._weight(context.step) * divergence.clamp(min=self.config.free_nats).sum()}

    def perturb(self, code: Float[Tensor, "b d"], generator: torch.Generator) -> Float[Tensor, "b d"]:
        width = (self.log_variance(code) / 2).exp()
        noise = torch.randn(code.shape, generator=generator, dtype=width.dtype, device=code.device)
        return code + width * noise

    @torch.no_grad()
    def describe(self, codes: Float[Tensor, "g d"]) -> Mapping[str, float]:
        """Tells the mean of `divergence` over the graphs, in nats, and the number of `active_channels`, whose
        means differ between graphs."""
        varies = codes.double().var(0, unbiased=False) > ACTIVE_VARIANCE
        return {
            "divergence": float(self.divergence(codes).sum(1).mean()),
            "active_channels": int(varies.sum()),
        }

    def _weight(self, step: int | None) -> float:
        begun = float("inf") if step is None else step - self.config.delay
        share = min(max(begun / self.config.rise, 0.0), 1.0) if self.config.rise else float(begun >= 0)
        return self.config.weight * share
