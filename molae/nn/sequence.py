"""Sequences of tokens: how likely each is, given those ahead of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.nn.attention import CausalLayer, Past
from molae.nn.mlp import ResidualBlock


class SequenceModel(nn.Module):
    """A causal transformer over places of several tokens each, which are told one after the other, too: the
    transformer of residual quantisation (Lee et al. 2022, arXiv:2203.01941), its depth part a perceptron.

    Args:
        sizes: Number of different tokens at each level of a place.
        places: Most places of a sequence.
        width: Channels of a place in the network.
        layers: Layers of attention.
        heads: Attention heads.
    """

    def __init__(self, sizes: Sequence[int], places: int, *, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.sizes, self.places = tuple(sizes), places
        self.first = nn.Parameter(0.02 * torch.randn(width))
        self.place = nn.Parameter(0.02 * torch.randn(places + 1, width))
        self.read = nn.ModuleList(_small(nn.Embedding(size, width)) for size in sizes)
        self.layers = nn.ModuleList(CausalLayer(width, heads) for _ in range(layers))
        # What is told at a level is seen by those behind it.
        self.told = nn.ModuleList(_small(nn.Embedding(size, width)) for size in self.sizes[:-1])
        self.mix = nn.ModuleList(ResidualBlock(width) for _ in sizes)
        self.norm = nn.LayerNorm(width)
        # The end is one token more at the first level.
        self.tell = nn.ModuleList(
            _small(nn.Linear(width, size + (not level))) for level, size in enumerate(sizes)
        )

    def forward(self, tokens: Int[Tensor, "b m l"], lengths: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """How likely sequences are, and that they end where they do.

        Args:
            tokens: The tokens; those behind the end of a sequence do not count.
            lengths: Places of each sequence.
        Returns:
            Logarithm of the probability.
        """
        start = self.first.expand(len(tokens), 1, -1)
        x, _ = self._attend(torch.cat([start, self._embed(tokens)], dim=1), None)
        place = torch.arange(x.shape[1], device=x.device)
        told = nn.functional.pad(tokens, (0, 0, 0, 1))
        told[..., 0] = told[..., 0].where(place < lengths[:, None], self.sizes[0])
        total = torch.zeros(x.shape[:2], device=x.device)
        for level in range(len(self.sizes)):
            x, scores = self._score(x, level)
            counted = place <= lengths[:, None] if not level else place < lengths[:, None]
            loss = nn.functional.cross_entropy(
                scores.flatten(0, 1), told[..., level].flatten(), reduction="none"
            )
            total = total - loss.view_as(total).where(counted, 0.0)
            if level < len(self.told):
                # The end has no further levels; what is read for it does not count.
                x = x + self.told[level](told[..., level].clamp(max=self.sizes[level] - 1))
        return total.sum(1)

    @torch.inference_mode()
    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws sequences.

        Args:
            n: How many.
            generator: Source of the draws, on the device of the weights.
        Returns:
            The tokens, shape (n, places, levels), 0 behind the end; and the places of each sequence, shape
            (n,).
        """
        device = self.first.device
        tokens = torch.zeros(n, self.places, len(self.sizes), dtype=torch.int64, device=device)
        lengths = torch.zeros(n, dtype=torch.int64, device=device)
        going = torch.ones(n, dtype=torch.bool, device=device)
        token, past = self.first.expand(n, 1, -1), None
        for place in range(self.places):
            x, past = self._attend(token, past, place)
            for level in range(len(self.sizes)):
                x, scores = self._score(x, level)
                drawn = torch.multinomial(scores.squeeze(1).softmax(-1), 1, generator=generator).squeeze(1)
                if not level:
                    going = going & (drawn < self.sizes[0])
                tokens[:, place, level] = drawn.where(going, 0)
                if level < len(self.told):
                    x = x + self.told[level](tokens[:, place, level, None])
            if not going.any():
                break
            lengths += going
            token = self._embed(tokens[:, place, None])
        return tokens, lengths

    def _embed(self, tokens: Int[Tensor, "b m l"]) -> Float[Tensor, "b m d"]:
        return torch.stack([table(tokens[..., level]) for level, table in enumerate(self.read)]).sum(0)

    def _attend(
        self, x: Float[Tensor, "b m d"], past: list[Past] | None, begin: int = 0
    ) -> tuple[Float[Tensor, "b m d"], list[Past]]:
        """What is known behind each place, the first of which is number `begin`."""
        x = x + self.place[begin : begin + x.shape[1]]
        seen = []
        for i, layer in enumerate(self.layers):
            x, kept = layer(x, None if past is None else past[i])
            seen.append(kept)
        return x, seen

    def _score(self, x: Float[Tensor, "b m d"], level: int) -> tuple[Tensor, Float[Tensor, "b m k"]]:
        x = self.mix[level](x)
        return x, self.tell[level](self.norm(x)).float()


def _small(layer: nn.Embedding | nn.Linear) -> nn.Module:
    """Begins with weights so small that all tokens are about as likely."""
    nn.init.normal_(layer.weight, std=0.02)
    return layer
