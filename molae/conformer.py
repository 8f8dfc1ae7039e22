"""The model of conformers: the graph is given, and what is learned is how its rotatable bonds turn.

A conformer is a start, one of a few geometries by distance geometry, and an angle for each rotatable bond.
The prior of these given the graph is learned by flow matching on the torus of the angles (Lipman 2023,
arXiv:2210.02747; for torsions as coordinates, Jing 2022, arXiv:2206.01729): an ordinary differential
equation carries uniform angles to those of low-energy conformers. Its right-hand side sees the graph, and the
geometry that the angles make, by forces between pairs of atoms (`molae.nn.torques`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.quasirandom import SobolEngine

from molae.batch.skeletons import SkeletonBatch, SkeletonSchema
from molae.nn.rigid import RigidScore
from molae.nn.torques import Context, GraphContext, TorqueField
from molae.ops import turn_bonds
from molae.registry import Config

_EVALUATION_SEED = 0


class ConformerConfig(Config):
    """Configuration of the model of conformers.

    Attributes:
        kind: Says that it is one.
        width: Channels of an atom in its graph.
        pair_width: Channels of a pair of atoms.
        layers: Layers of attention on the graph.
        heads: Attention heads.
        draws: Conformers and times that are drawn for each molecule of a training batch.
        fit_scale: Starts that come nearer to a conformer by so much, in Å, are drawn e times as often for it.
        choice: Weight of the term that teaches which start to take.
        steps: Steps of the integration when sampling.
    """

    kind: Literal["conformer"] = "conformer"
    width: PositiveInt = 96
    pair_width: PositiveInt = 32
    layers: PositiveInt = 4
    heads: PositiveInt = 8
    draws: PositiveInt = 4
    fit_scale: PositiveFloat = 0.15
    choice: NonNegativeFloat = 0.1
    steps: PositiveInt = 8


@dataclass(frozen=True)
class Turned:
    """Conformers as turned starts.

    Attributes:
        start: Place of the start of each conformer.
        angles: By how much each bond of it turns, in radians.
    """

    start: Int[Tensor, " c"]
    angles: Float[Tensor, "c t"]


class ConformerModel(nn.Module):
    """Draws conformers of molecules whose graph is given.

    Args:
        config: Configuration.
        schema: What the molecules carry.
    """

    def __init__(self, config: ConformerConfig, schema: SkeletonSchema) -> None:
        super().__init__()
        self.config = config
        self.schema = schema
        self.context = GraphContext(
            schema.node_sizes,
            schema.edge_types,
            len(schema.levels),
            config.width,
            config.pair_width,
            config.layers,
            config.heads,
        )
        self.field = TorqueField(config.width, config.pair_width)
        self.score = RigidScore(config.pair_width)

    def forward(self, batch: SkeletonBatch) -> dict[str, Tensor]:
        """The same as `loss`, so that wrappers which call the module train it."""
        return self.loss(batch)

    def loss(
        self, batch: SkeletonBatch, generator: torch.Generator | None = None, step: int | None = None
    ) -> dict[str, Tensor]:
        """Measures how well the flow leads to the conformers of a batch.

        Args:
            batch: Molecules with starts and conformers.
            generator: Draws conformers, starts, noise, times and mirror images; torch's own without it.
            step: Number of the training step; of no concern here.
        Returns:
            `loss`, the mean over the molecules of the sum of both terms, and the mean of each.
        """
        terms = self._terms(batch, generator)
        means = {name: term.mean() for name, term in terms.items()}
        return {"loss": torch.stack(list(means.values())).sum(), **means}

    @torch.no_grad()
    def evaluate(self, batch: SkeletonBatch) -> dict[str, Tensor]:
        """The terms of the loss and their sum for each molecule, with noise that is the same every time."""
        generator = torch.Generator(batch.starts.device).manual_seed(_EVALUATION_SEED)
        terms = self._terms(batch, generator)
        return {**terms, "loss": torch.stack(list(terms.values())).sum(0)}

    @torch.inference_mode()
    def sample(self, batch: SkeletonBatch, n: int, seed: int = 0) -> Turned:
        """Draws conformers of one molecule.

        Args:
            batch: The molecule, with its starts; it has no conformers.
            n: Number of conformers.
            seed: Seed of the draws.
        Returns:
            The conformers. Their noise is spread evenly, by a scrambled Sobol sequence.
        """
        context = self.context(batch)
        start = self._pick(batch, context, n, seed)
        row = torch.zeros(n, dtype=torch.int64, device=start.device)
        context, bonds, moved = context.take(row), batch.bonds[row], batch.moved[row]
        angles = (2 * _even_noise(n, bonds.shape[1], seed).to(start.device) - 1) * math.pi
        pos = turn_bonds(batch.starts[0, start], bonds, moved, angles)
        for step in range(self.config.steps if bonds.shape[1] else 0):
            time = torch.full((n,), step / self.config.steps, device=start.device)
            turn = self.field(context, pos, time, bonds, moved) / self.config.steps
            pos, angles = turn_bonds(pos, bonds, moved, turn), angles + turn
        return Turned(start, angles)

    def _pick(self, batch: SkeletonBatch, context: Context, n: int, seed: int) -> Int[Tensor, " c"]:
        """Draws starts by their scores, each as often as its share says, up to one."""
        row = torch.zeros(batch.starts.shape[1], dtype=torch.int64, device=batch.starts.device)
        scores = self.score(context.take(row), batch.starts[0], batch.bonds[row], batch.moved[row])
        generator = torch.Generator().manual_seed(seed)
        places = (torch.arange(n) + torch.rand(1, generator=generator)) / n
        ends = scores.softmax(0).cumsum(0).cpu()
        picked = torch.searchsorted(ends, places).clamp(max=len(ends) - 1)
        return picked[torch.randperm(n, generator=generator)].to(scores.device)

    def _terms(self, batch: SkeletonBatch, generator: torch.Generator | None) -> dict[str, Tensor]:
        context = self.context(batch)
        terms = {"flow": self._flow(batch, context, generator)}
        if self.config.choice:
            terms["choice"] = self.config.choice * self._choice(batch, context)
        return terms

    def _flow(
        self, batch: SkeletonBatch, context: Context, generator: torch.Generator | None
    ) -> Float[Tensor, " b"]:
        """Mean squared error of the angular velocity, in square radians."""
        draws = self.config.draws
        row = torch.arange(len(batch), device=batch.starts.device).repeat_interleave(draws)
        pos, target = self._draw(batch, row, generator)
        bonds, moved = batch.bonds[row], batch.moved[row]
        real = (batch.fold[row] > 0).to(pos.dtype)
        period = 2 * math.pi / batch.fold[row].clamp(min=1)
        noise = (2 * _uniform(target.shape, pos, generator) - 1) * math.pi
        # The nearest of the turns that come to the same.
        velocity = target - noise
        velocity = (velocity - period * (velocity / period).round()) * real
        time = _uniform((len(row),), pos, generator)
        now = turn_bonds(pos, bonds, moved, (noise + time.unsqueeze(1) * velocity) * real)
        error = (self.field(context.take(row), now, time, bonds, moved) - velocity) * real
        squares = error.square().sum(1) / real.sum(1).clamp(min=1)
        return squares.unflatten(0, (-1, draws)).mean(1)

    def _draw(
        self, batch: SkeletonBatch, row: Int[Tensor, " x"], generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "x m 3"], Float[Tensor, "x t"]]:
        """Starts, and the angles by which they turn into conformers; half of both in mirror images."""
        conformer = torch.multinomial(batch.weights[row], 1, generator=generator).squeeze(1)
        fit = batch.fit[row, conformer]
        likely = (-(fit - fit.min(1, keepdim=True).values) / self.config.fit_scale).exp()
        start = torch.multinomial(likely, 1, generator=generator).squeeze(1)
        sign = (2 * (_uniform((len(row),), fit, generator) < 0.5) - 1).to(fit.dtype)
        pos = batch.starts[row, start] * sign.view(-1, 1, 1)
        return pos, batch.turns[row, conformer, start] * sign.unsqueeze(1)

    def _choice(self, batch: SkeletonBatch, context: Context) -> Float[Tensor, " b"]:
        """Cross-entropy of the starts' scores against how well each fits the conformers."""
        b, s = batch.starts.shape[:2]
        row = torch.arange(b, device=batch.starts.device).repeat_interleave(s)
        scores = self.score(context.take(row), batch.starts.flatten(0, 1), batch.bonds[row], batch.moved[row])
        there = batch.fit.isfinite().any(1)
        logits = scores.unflatten(0, (b, s)).masked_fill(~there, -torch.inf).log_softmax(1)
        fit = batch.fit.masked_fill(batch.fit.isinf(), 1e3)
        wanted = (-fit / self.config.fit_scale).softmax(-1) * batch.weights.unsqueeze(-1)
        return -(wanted.sum(1) * logits.masked_fill(~there, 0)).sum(1)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)


def _even_noise(n: int, dimensions: int, seed: int) -> Float[Tensor, "n t"]:
    if not dimensions:
        return torch.zeros(n, 0)
    return SobolEngine(dimensions, scramble=True, seed=seed).draw(n)
