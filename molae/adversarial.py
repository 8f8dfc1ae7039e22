"""Adversarial training of a generator that sees an invariant code of a real sample: IVE-GAN.

x real, T x real too (transformed), c = encoder(x)
pair critic:   (x, T x)  against  (x, generator(c, z))       what T changes is left to the noise z
critic:        x         against  generator(c', z)           c' drawn at random

After Winter, Clevert 2017, arXiv:1711.08646. Since every real sample must come back from its own code, none
of the modes of the data can be left out, and the encoder is an inverse mapping from data to codes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from molae.loss.adversarial import critic_loss, generator_loss


class InvariantEncodingGAN(nn.Module):
    """An encoder, a generator, and the two critics that train them.

    Codes are rows of -1 and 1, the signs of what the encoder gives, whose gradient is that of a hyperbolic
    tangent: data in separate pieces have codes in separate pieces, and every code that can be drawn is one
    that data could have. (The codes of the paper are continuous; a generator has to bridge the gaps between
    pieces then.) Noise comes from torch's own generator.

    Args:
        encoder: Gives numbers (b c) of data.
        generator: Takes codes and noise, and gives data.
        pair_critic: Takes data twice, and gives a score (b) of each pair.
        critic: Takes data, and gives a score (b) of each.
        transform: Gives T x, random at each call: what the code should not tell, such as
            `lambda x: group.act(group.sample(len(x)), x)`; as likely among the data as x.
        code_size: Channels of a code.
        noise_size: Channels of the noise.
        penalty: Weight of the penalty on the critics, see `molae.loss.adversarial.critic_loss`.
        pair_weight: Weight of the pair critic in what trains encoder and generator. It sees codes of data
            only; a weight below 1 leaves the generator free to learn what the other codes are to give.

    Example:
        >>> from molae.groups import Translations
        >>> class Critic(nn.Linear):
        ...     def forward(self, *parts):
        ...         return super().forward(torch.cat(parts, 1)).squeeze(1)
        >>> class Generator(nn.Linear):
        ...     def forward(self, code, noise):
        ...         return super().forward(torch.cat([code, noise], 1))
        >>> model = InvariantEncodingGAN(
        ...     nn.Linear(2, 3), Generator(5, 2), Critic(4, 1), Critic(2, 1), lambda x: x + 1, 3, 2
        ... )
        >>> x = torch.randn(8, 2)
        >>> model.critic_loss(x).shape, model.generator_loss(x).shape, model.sample(5).shape
        (torch.Size([]), torch.Size([]), torch.Size([5, 2]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        pair_critic: nn.Module,
        critic: nn.Module,
        transform: Callable[[Tensor], Tensor],
        code_size: int,
        noise_size: int,
        penalty: float = 0.1,
        pair_weight: float = 0.3,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.generator = generator
        self.pair_critic = pair_critic
        self.critic = critic
        self.transform = transform
        self.code_size = code_size
        self.noise_size = noise_size
        self.penalty = penalty
        self.pair_weight = pair_weight

    def encode(self, x: Shaped[Tensor, "b *d"]) -> Float[Tensor, "b c"]:
        """Codes of data: the inverse of what `decode` does, up to the transformation."""
        soft = torch.tanh(self.encoder(x))
        return soft + (torch.where(soft > 0, 1.0, -1.0) - soft).detach()

    def decode(self, code: Float[Tensor, "b c"]) -> Shaped[Tensor, "b *d"]:
        """Data from codes and new noise, which says what of the transformed data it is."""
        return self.generator(code, code.new_empty(len(code), self.noise_size).normal_())

    def sample(self, count: int) -> Shaped[Tensor, "b *d"]:
        """Data from codes drawn at random."""
        bits = torch.randint(2, (count, self.code_size), device=next(self.parameters()).device)
        return self.decode(2.0 * bits - 1)

    def critic_loss(self, x: Shaped[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """What the critics are trained on, given a batch of real data."""
        with torch.no_grad():
            again, made = self.decode(self.encode(x)), self.sample(len(x))
        return critic_loss(self.pair_critic, [x, self.transform(x)], [x, again], self.penalty) + critic_loss(
            self.critic, [x], [made], self.penalty
        )

    def generator_loss(self, x: Shaped[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """What the encoder and the generator are trained on, given the same."""
        again, made = self.decode(self.encode(x)), self.sample(len(x))
        judged = self.pair_weight * generator_loss(self.pair_critic, [x, again])
        return judged + generator_loss(self.critic, [made])
