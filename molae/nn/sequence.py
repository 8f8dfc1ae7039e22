"""Sequences of tokens: how likely each is, given those ahead of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.nn.attention import CausalLayer, Past
from molae.nn.mlp import ResidualBlock, residual_mlp


class TokenTable(nn.Module):
    """A vector for each token: one of its own, and what a network makes of what the token stands for. So what
    is learned of a token is learned of those like it too, and rare ones are known as well.

    Args:
        centres: What each token stands for.
        width: Channels of its vector here.
    """

    centres: Tensor

    def __init__(self, centres: Float[Tensor, "k c"], width: int) -> None:
        super().__init__()
        spread = centres.std(0, correction=0).mean().clamp(min=torch.finfo(centres.dtype).eps)
        self.register_buffer("centres", centres / spread, persistent=False)
        self.own = nn.Parameter(0.02 * torch.randn(len(centres), width))
        self.shared = residual_mlp(centres.shape[1], width, 1, width)
        for parameter in self.shared[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self) -> Float[Tensor, "k d"]:
        return self.own + self.shared(self.centres)


class Tables(NamedTuple):
    """Vectors of the tokens of each level: as places further on see them, as levels behind see them, and as
    they are scored, the end behind those of the first level."""

    read: list[Tensor]
    told: list[Tensor]
    tell: list[Tensor]


class SequenceModel(nn.Module):
    """A causal transformer over places of several tokens each, which are told one after the other, too: the
    transformer of residual quantisation (Lee et al. 2022, arXiv:2203.01941), its depth part a perceptron.

    Args:
        centres: What the tokens of each level of a place stand for.
        places: Most places of a sequence.
        width: Channels of a place in the network.
        layers: Layers of attention.
        heads: Attention heads.
    """

    def __init__(
        self, centres: Sequence[Float[Tensor, "k c"]], places: int, *, width: int, layers: int, heads: int
    ) -> None:
        super().__init__()
        self.sizes = tuple(len(each) for each in centres)
        self.places = places
        self.first = nn.Parameter(0.02 * torch.randn(width))
        self.place = nn.Parameter(0.02 * torch.randn(places + 1, width))
        self.read = nn.ModuleList(TokenTable(each, width) for each in centres)
        self.layers = nn.ModuleList(CausalLayer(width, heads, places + 1) for _ in range(layers))
        self.told = nn.ModuleList(TokenTable(each, width) for each in centres[:-1])
        self.mix = nn.ModuleList(ResidualBlock(width) for _ in centres)
        self.norm = nn.LayerNorm(width)
        self.tell = nn.ModuleList(TokenTable(each, width) for each in centres)
        self.end = nn.Parameter(0.02 * torch.randn(width))
        self.bias = nn.ParameterList(
            nn.Parameter(torch.zeros(size + (not level))) for level, size in enumerate(self.sizes)
        )

    def forward(self, tokens: Int[Tensor, "b m l"], lengths: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """How likely sequences are, and that they end where they do.

        Args:
            tokens: The tokens; those behind the end of a sequence do not count.
            lengths: Places of each sequence.
        Returns:
            Logarithm of the probability.
        """
        tables, start = self._tables(), self.first.expand(len(tokens), 1, -1)
        x, _ = self._attend(torch.cat([start, _embed(tokens, tables)], dim=1), None)
        place = torch.arange(x.shape[1], device=x.device)
        told = nn.functional.pad(tokens, (0, 0, 0, 1))
        told[..., 0] = told[..., 0].where(place < lengths[:, None], self.sizes[0])
        total = torch.zeros(x.shape[:2], device=x.device)
        for level, size in enumerate(self.sizes):
            x, scores = self._score(x, level, tables)
            counted = place < lengths[:, None] + (not level)
            loss = nn.functional.cross_entropy(
                scores.flatten(0, 1), told[..., level].flatten(), reduction="none"
            )
            total = total - loss.view_as(total).where(counted, 0.0)
            if level < len(tables.told):
                # The end has no further levels; what is read for it does not count.
                x = x + tables.told[level][told[..., level].clamp(max=size - 1)]
        return total.sum(1)

    @torch.inference_mode()
    def draw(self, n: int, generator: torch.Generator, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
        """Draws sequences.

        Args:
            n: How many.
            generator: Source of the draws, on the device of the weights.
            temperature: What the scores are divided by: below 1, likely tokens are drawn more often.
        Returns:
            The tokens, shape (n, places, levels), 0 behind the end; and the places of each sequence, shape
            (n,).
        """
        device, tables = self.first.device, self._tables()
        tokens = torch.zeros(n, self.places, len(self.sizes), dtype=torch.int64, device=device)
        lengths = torch.zeros(n, dtype=torch.int64, device=device)
        going = torch.ones(n, dtype=torch.bool, device=device)
        token, past = self.first.expand(n, 1, -1), None
        for place in range(self.places):
            x, past = self._attend(token, past, place)
            for level, size in enumerate(self.sizes):
                x, scores = self._score(x, level, tables)
                chances = (scores.squeeze(1) / temperature).softmax(-1)
                drawn = torch.multinomial(chances, 1, generator=generator).squeeze(1)
                if not level:
                    going = going & (drawn < size)
                tokens[:, place, level] = drawn.where(going, 0)
                if level < len(tables.told):
                    x = x + tables.told[level][tokens[:, place, level, None]]
            if not going.any():
                break
            lengths += going
            token = _embed(tokens[:, place, None], tables)
        return tokens, lengths

    def _tables(self) -> Tables:
        read, told, tell = ([table() for table in tables] for tables in (self.read, self.told, self.tell))
        return Tables(read, told, [torch.cat([tell[0], self.end[None]]), *tell[1:]])

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

    def _score(
        self, x: Float[Tensor, "b m d"], level: int, tables: Tables
    ) -> tuple[Tensor, Float[Tensor, "b m k"]]:
        x = self.mix[level](x)
        return x, nn.functional.linear(self.norm(x), tables.tell[level], self.bias[level]).float()


def _embed(tokens: Int[Tensor, "b m l"], tables: Tables) -> Float[Tensor, "b m d"]:
    return torch.stack([table[tokens[..., level]] for level, table in enumerate(tables.read)]).sum(0)
