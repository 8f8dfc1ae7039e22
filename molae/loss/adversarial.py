"""Logistic losses of a critic and of its opponent (Goodfellow et al. 2014, arXiv:1406.2661)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

#: Takes one tensor or several, with a row for each sample, and gives a score for each: high for real ones.
Critic = Callable[..., Float[Tensor, " b"]]


def critic_loss(
    critic: Critic, real: Sequence[Tensor], fake: Sequence[Tensor], penalty: float = 0.0
) -> Float[Tensor, ""]:
    """Asks a critic to tell real samples from made ones.

    Args:
        critic: The critic.
        real: What it takes, of real samples.
        fake: The same of samples that were made; no gradient goes through them.
        penalty: Weight of the squared gradient of the scores at real samples (Mescheder et al. 2018,
            arXiv:1801.04406), without which a critic and its opponent circle rather than converge.
    Returns:
        Mean of log(1 + exp(-real)) + log(1 + exp(fake)) and of the penalty.

    Example:
        >>> x = torch.zeros(4, 2)
        >>> round(critic_loss(lambda x: x.sum(1), [x], [x], penalty=2.0).item(), 3)
        3.386
    """
    real = [part.detach().requires_grad_(penalty > 0) for part in real]
    scores = critic(*real)
    loss = (softplus(-scores) + softplus(critic(*(part.detach() for part in fake)))).mean()
    if penalty > 0:
        slopes = torch.autograd.grad(scores.sum(), real, create_graph=True)
        loss = loss + penalty / 2 * sum(slope.flatten(1).square().sum(1).mean() for slope in slopes)
    return loss


def generator_loss(critic: Critic, fake: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Asks for samples that the critic takes for real: mean of log(1 + exp(-fake)).

    Example:
        >>> generator_loss(lambda x: x.sum(1), [torch.zeros(4, 2)])
        tensor(0.6931)
    """
    return softplus(-critic(*fake)).mean()
