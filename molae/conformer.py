"""The model of conformers: the graph is given, and what is learned is how its rotatable bonds turn.

A conformer is a start, one of a few geometries by distance geometry, and an angle for each rotatable bond.
The prior of these given the graph is learned by flow matching on the torus of the angles (Lipman 2023,
arXiv:2210.02747; for torsions as coordinates, Jing 2022, arXiv:2206.01729): an ordinary differential
equation carries uniform angles to those of low-energy conformers. Its right-hand side sees the graph, and the
geometry that the angles make, by forces between pairs of atoms (`molae.nn.torques`). What angles alone cannot
set right, rings and bond angles, a few rounds of such forces on the atoms themselves refine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.quasirandom import SobolEngine

from molae.batch.skeletons import SkeletonBatch, SkeletonSchema
from molae.nn.torques import (
    Context,
    FieldAtTime,
    GraphContext,
    PairsAtTime,
    Refiner,
    TorqueField,
    turned_pairs,
)
from molae.ops import superposed_deviation, turn_bonds
from molae.registry import Config

_EVALUATION_SEED = 0
# Deviations below this, in Å, count as this: the gradient of a root has no bound at zero.
_LEAST_DEVIATION = 0.02


class ConformerConfig(Config):
    """Configuration of the model of conformers.

    Attributes:
        kind: Says that it is one.
        width: Channels of an atom in its graph.
        pair_width: Channels of a pair of atoms.
        layers: Layers of attention on the graph.
        heads: Attention heads.
        reach: Most bonds between two atoms that attend to each other; None for any. What is seen of a graph
            from near by carries over to other graphs better.
        draws: Conformers and times that the flow is taught for each molecule of a training batch.
        fit_scale: Starts that come nearer to a conformer by so much, in Å, are drawn e times as often for it.
        rounds: Rounds in which positions are refined, 0 for none.
        refinement: Weight of the term that teaches that.
        blur: Standard deviation of what is added to the angles before the refinement is taught, in radians.
        steps: Steps of the integration when sampling; 0 leaves the angles uniform but for `repeats`.
        repeats: How often the last part of the way is gone again.
        late: Time at which that part begins.
    """

    kind: Literal["conformer"] = "conformer"
    width: PositiveInt = 96
    pair_width: PositiveInt = 32
    layers: PositiveInt = 4
    heads: PositiveInt = 8
    reach: PositiveInt | None = None
    draws: PositiveInt = 4
    fit_scale: PositiveFloat = 0.15
    rounds: NonNegativeInt = 3
    refinement: PositiveFloat = 1.0
    blur: NonNegativeFloat = 0.1
    steps: NonNegativeInt = 3
    repeats: NonNegativeInt = 2
    late: float = Field(default=0.7, gt=0, lt=1)

    @property
    def schedule(self) -> list[tuple[float, float]]:
        """Time and length of each step of sampling.

        To go the last part of the way again, from where it led, moves conformers towards the mode near them,
        as a mean shift does: they are likelier, and less spread, than what the flow alone would draw.
        """
        even = [(step / self.steps, 1 / self.steps) for step in range(self.steps)]
        return even + [(self.late, 1 - self.late)] * self.repeats


@dataclass(frozen=True)
class Turned:
    """Conformers as turned starts.

    Attributes:
        start: Place of the start of each conformer.
        angles: By how much each bond of it turns, in radians.
        pos: Positions of the heavy atoms after refinement, in Å.
    """

    start: Int[Tensor, " c"]
    angles: Float[Tensor, "c t"]
    pos: Float[Tensor, "c m 3"]


@dataclass(frozen=True)
class Prepared:
    """A molecule with what all its conformers share.

    Attributes:
        batch: The molecule, with its starts.
        steps: Time and length of each step of sampling; none where no bond turns.
        field: The field at the times of the steps, by the pairs of atoms alone that a bond turns against each
            other.
        others: What the other pairs contribute to it, for each start.
        refine: Pairs of atoms in each round of the refinement.
    """

    batch: SkeletonBatch
    steps: list[tuple[float, float]]
    field: dict[float, FieldAtTime]
    others: dict[float, Float[Tensor, "s m p"]]
    refine: list[PairsAtTime]


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
            config.reach,
        )
        self.field = TorqueField(config.width, config.pair_width)
        self.refine = Refiner(config.pair_width, config.rounds)

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

    @torch.no_grad()
    def prepare(self, batch: SkeletonBatch) -> Prepared:
        """Computes what all conformers of one molecule share.

        Args:
            batch: The molecule, with its starts; it has no conformers.
        """
        context = self.context(batch)
        turned, rest = context.split(turned_pairs(context.which, batch.bonds[0], batch.moved[0]))
        steps = self.config.schedule if batch.bonds.shape[1] else []
        times = {begin: batch.starts.new_tensor([begin]) for begin, _ in steps}
        return Prepared(
            batch,
            steps,
            {begin: self.field.at(turned, time) for begin, time in times.items()},
            {begin: self.field.unturned(rest, batch.starts[0], time) for begin, time in times.items()},
            self.refine.at(context),
        )

    @torch.no_grad()
    def sample(self, prepared: Prepared, n: int, seed: int = 0) -> Turned:
        """Draws conformers of one molecule.

        Args:
            prepared: The molecule.
            n: Number of conformers.
            seed: Seed of the draws.
        Returns:
            The conformers. Their noise is spread evenly, by a scrambled Sobol sequence.
        """
        batch = prepared.batch
        # Shuffled: points of a Sobol sequence a power of two apart lie in the same part of the torus.
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        start = order.to(batch.starts.device) % batch.starts.shape[1]
        angles = (2 * _even_noise(n, batch.bonds.shape[1], seed).to(start.device) - 1) * math.pi
        pos = turn_bonds(batch.starts[0, start], batch.bonds, batch.moved, angles)
        for begin, length in prepared.steps:
            at_time, others = prepared.field[begin], prepared.others[begin][start]
            turn = self.field.velocities(at_time, pos, batch.bonds, batch.moved, others) * length
            pos, angles = turn_bonds(pos, batch.bonds, batch.moved, turn), angles + turn
        return Turned(start, angles, self.refine.moved(prepared.refine, pos))

    def _terms(self, batch: SkeletonBatch, generator: torch.Generator | None) -> dict[str, Tensor]:
        context, rows = self.context(batch), torch.arange(len(batch), device=batch.starts.device)
        repeated = rows.repeat(self.config.draws)
        flow = self._flow(context.take(repeated), self._draw(batch, repeated, generator), generator)
        # What refines learns far sooner than the flow: one draw is enough.
        refinement = self._refinement(context, self._draw(batch, rows, generator), generator)
        return {
            "flow": flow.unflatten(0, (self.config.draws, -1)).mean(0),
            "refinement": self.config.refinement * refinement,
        }

    def _draw(
        self, batch: SkeletonBatch, row: Int[Tensor, " x"], generator: torch.Generator | None
    ) -> _Drawn:
        """Draws conformers, and starts for them; half of them in mirror images."""
        conformer = torch.multinomial(batch.weights[row], 1, generator=generator).squeeze(1)
        fit = batch.fit[row, conformer]
        likely = (-(fit - fit.min(1, keepdim=True).values) / self.config.fit_scale).exp()
        start = torch.multinomial(likely, 1, generator=generator).squeeze(1)
        sign = (2 * (_uniform((len(row),), fit, generator) < 0.5) - 1).to(fit.dtype)
        return _Drawn(
            start=batch.starts[row, start] * sign.view(-1, 1, 1),
            turns=batch.turns[row, conformer, start] * sign.unsqueeze(1),
            target=batch.positions[row, conformer, start] * sign.view(-1, 1, 1),
            mask=batch.mask[row],
            bonds=batch.bonds[row],
            moved=batch.moved[row],
            fold=batch.fold[row],
        )

    def _flow(
        self, context: Context, drawn: _Drawn, generator: torch.Generator | None
    ) -> Float[Tensor, " x"]:
        """Mean squared error of the angular velocity, in square radians."""
        real = (drawn.fold > 0).to(drawn.start.dtype)
        period = 2 * math.pi / drawn.fold.clamp(min=1)
        noise = (2 * _uniform(drawn.turns.shape, drawn.start, generator) - 1) * math.pi
        # The nearest of the turns that come to the same.
        velocity = drawn.turns - noise
        velocity = (velocity - period * (velocity / period).round()) * real
        time = _uniform((len(real),), drawn.start, generator)
        turn = (noise + time.unsqueeze(1) * velocity) * real
        pos = turn_bonds(drawn.start, drawn.bonds, drawn.moved, turn)
        error = (self.field(context, pos, time, drawn.bonds, drawn.moved) - velocity) * real
        return error.square().sum(1) / real.sum(1).clamp(min=1)

    def _refinement(
        self, context: Context, drawn: _Drawn, generator: torch.Generator | None
    ) -> Float[Tensor, " x"]:
        """RMSD between turned starts, refined, and the conformers that they were turned to, in Å."""
        blur = self.config.blur * torch.randn(
            drawn.turns.shape, generator=generator, device=drawn.turns.device, dtype=drawn.turns.dtype
        )
        turn = (drawn.turns + blur) * (drawn.fold > 0)
        pos = turn_bonds(drawn.start, drawn.bonds, drawn.moved, turn)
        deviation = superposed_deviation(self.refine(context, pos), drawn.target, drawn.mask)
        return (deviation + _LEAST_DEVIATION**2).sqrt()


@dataclass(frozen=True)
class _Drawn:
    """Conformers drawn for training, each with the start that is turned to it.

    Attributes:
        start: Positions of the start in Å.
        turns: Angles, in radians, by which its bonds turn to be those of the conformer.
        target: Positions of the conformer in Å.
        mask: As in `SkeletonBatch`, likewise below.
        bonds: As there.
        moved: As there.
        fold: As there.
    """

    start: Float[Tensor, "x m 3"]
    turns: Float[Tensor, "x t"]
    target: Float[Tensor, "x m 3"]
    mask: Bool[Tensor, "x m"]
    bonds: Int[Tensor, "x t 2"]
    moved: Bool[Tensor, "x t m"]
    fold: Int[Tensor, "x t"]


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)


def _even_noise(n: int, dimensions: int, seed: int) -> Float[Tensor, "n t"]:
    if not dimensions:
        return torch.zeros(n, 0)
    return SobolEngine(dimensions, scramble=True, seed=seed).draw(n)
