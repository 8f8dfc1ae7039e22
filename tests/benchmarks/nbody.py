"""SE(3) × S_n on five charged particles: where they will be 1,000 steps later.

The data are those of Satorras et al. 2021 (arXiv:2102.09844), simulated here: charges of +1 or -1 at random,
positions of standard deviation 1, speeds of 0.5, repulsion or attraction by the inverse square of the
distance without softening, each component of a force at most 100, steps of 0.001. A model sees positions,
velocities and charges after 3,100 steps and tells the positions after 4,100; there are 3,000 trajectories to
train on, 2,000 to validate and 2,000 to test. The error is the mean over coordinates of the squared
deviation. Pairs that orbit each other make up most of it.

- `linear`: x + t v, the best t;
- `plain`: messages between all particles, from their coordinates as they are;
- `averaged`: the same network, averaged over the frames of each cloud (molae.nn.frames.FrameAverage);
- `averaged-later`: trained as `plain` is, in random poses, and averaged over frames only when it is tested;
- `distances`: what EGNN sees: messages from distances and charges, which move positions along x_i - x_j;
- `velocities`: messages see all invariants of a pair, those of its relative velocity too, and move positions
  and velocities along x_i - x_j and v_i - v_j, as Kepler's motion does. In both of these a pair acts on
  either particle oppositely, so that the centre of mass moves on as it must.

All are trained alike on the squared error, each batch turned at random; the moving average of the weights
after the last step is what is tested. Validation figures are shown only; nothing is chosen by them. The gaps
say how far a model is from equivariant under rotations, and under reflections too; `test_s` is the processor
time of telling all test trajectories. Frame averaging beside what EGNN sees is
`--models plain averaged averaged-later distances`.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import torch
from report import parser, publish
from torch import Tensor, nn

from molae.groups import Orthogonal, SpecialOrthogonal
from molae.nn.frames import FrameAverage
from molae.ops import safe_norm
from molae.testing import equivariance_gap
from molae.training.average import AveragedWeights

PARTICLES, STEP, MOST_FORCE = 5, 1e-3, 100.0
SEEN, TOLD = 3100, 4100
TURNS, REFLECTIONS = SpecialOrthogonal(3), Orthogonal(3)


class Trajectories(NamedTuple):
    """Charges (b n); positions and velocities (b n 3) that are seen; positions (b n 3) to be told."""

    charge: Tensor
    pos: Tensor
    velocity: Tensor
    later: Tensor


def simulate(count: int, generator: torch.Generator) -> Trajectories:
    """Integrates random systems by the leapfrog method, in float64, and gives what is seen in float32."""
    to_pairs = incidence().double()
    charge = torch.randint(2, (count, PARTICLES), generator=generator).double() * 2 - 1
    strength = pair_products(charge).squeeze(2)
    # Particles last: a product with the incidence matrix gives all differences.
    pos = torch.randn(count, 3, PARTICLES, generator=generator, dtype=torch.float64)
    velocity = torch.randn(count, 3, PARTICLES, generator=generator, dtype=torch.float64)
    velocity = 0.5 * velocity / velocity.norm(dim=1, keepdim=True)
    kept = {}
    for step in range(TOLD):
        away = pos @ to_pairs.T
        force = away * (strength * away.square().sum(1) ** -1.5).unsqueeze(1)
        velocity += STEP * (force @ to_pairs).clamp(-MOST_FORCE, MOST_FORCE)
        pos += STEP * velocity
        if step + 1 in (SEEN, TOLD):
            kept[step + 1] = (pos.mT.float(), velocity.mT.float())
    return Trajectories(charge.float(), *kept[SEEN], kept[TOLD][0])


def incidence() -> Tensor:
    """Matrix (pairs n) that takes values of particles to their differences over pairs."""
    first, second = torch.triu_indices(PARTICLES, PARTICLES, 1)
    matrix = torch.zeros(len(first), PARTICLES)
    pair = torch.arange(len(first))
    matrix[pair, first], matrix[pair, second] = 1.0, -1.0
    return matrix


def pair_products(charge: Tensor) -> Tensor:
    """Products of the charges of each pair (b pairs 1)."""
    first, second = torch.triu_indices(PARTICLES, PARTICLES, 1)
    return (charge[:, first] * charge[:, second]).unsqueeze(2)


class Linear(nn.Module):
    """x + t v."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Parameter(torch.tensor(1.0))

    def forward(self, charge: Tensor, pos: Tensor, velocity: Tensor) -> Tensor:
        return pos + self.time * velocity


class PlainRounds(nn.Module):
    """Rounds of messages between particles that are told by their coordinates; gives displacements."""

    def __init__(self, width: int, rounds: int) -> None:
        super().__init__()
        self.embed = nn.Linear(7, width)
        self.ends = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(rounds))
        self.product = nn.ModuleList(nn.Linear(1, width, bias=False) for _ in range(rounds))
        self.message = nn.ModuleList(nn.Linear(width, width) for _ in range(rounds))
        self.update = nn.ModuleList(perceptron(2 * width, width, width) for _ in range(rounds))
        self.out = nn.Linear(width, 3)

    def forward(self, points: Tensor, charge: Tensor) -> Tensor:
        pos, velocity = points.chunk(2, 1)
        hidden = self.embed(torch.cat([pos, velocity, charge.unsqueeze(2)], 2))
        products = (charge.unsqueeze(2) * charge.unsqueeze(1)).unsqueeze(3)
        for ends, product, message, update in zip(
            self.ends, self.product, self.message, self.update, strict=True
        ):
            to, of = ends(hidden).chunk(2, 2)
            pairs = nn.functional.silu(to.unsqueeze(2) + of.unsqueeze(1) + product(products))
            received = nn.functional.silu(message(pairs)).sum(2)
            hidden = hidden + update(torch.cat([hidden, received], 2))
        return self.out(hidden)


class Plain(nn.Module):
    """A network on centred positions and velocities as one cloud; it corrects uniform motion."""

    def __init__(self, width: int, rounds: int) -> None:
        super().__init__()
        self.network = PlainRounds(width, rounds)

    def forward(self, charge: Tensor, pos: Tensor, velocity: Tensor) -> Tensor:
        points = torch.cat([pos - pos.mean(1, keepdim=True), velocity], 1)
        return pos + velocity + self.displacement(points, charge)

    def displacement(self, points: Tensor, charge: Tensor) -> Tensor:
        return self.network(points, charge)


class Averaged(Plain):
    """The same, averaged over frames of positions and velocities together, which turn with both.

    Args:
        width: Channels.
        rounds: Rounds of messages.
        always: Whether the average is taken in training too, rather than afterwards alone.
    """

    def __init__(self, width: int, rounds: int, always: bool) -> None:
        super().__init__(width, rounds)
        self.network = FrameAverage(self.network, TURNS, "vectors")
        self.always = always

    def displacement(self, points: Tensor, charge: Tensor) -> Tensor:
        if self.training and not self.always:
            return self.network.network(points, charge)
        return self.network(points, charge).output


class EquivariantRounds(nn.Module):
    """Rounds of messages of pairs that push their particles apart, or together.

    Args:
        width: Channels.
        rounds: Rounds of messages; between them particles go on for a share of the time.
        relative: Whether pairs see and change their relative velocity.
    """

    def __init__(self, width: int, rounds: int, relative: bool) -> None:
        super().__init__()
        self.relative = relative
        self.share = 1 / rounds
        self.embed = nn.Linear(2, width)
        self.rounds = nn.ModuleList(PairRound(width, relative) for _ in range(rounds))
        self.register_buffer("pairs", incidence(), persistent=False)

    def forward(self, charge: Tensor, pos: Tensor, velocity: Tensor) -> Tensor:
        centred, drift = (x - x.mean(1, keepdim=True) for x in (pos, velocity))
        hidden = self.embed(torch.cat([safe_norm(centred), safe_norm(drift)], 2))
        products = pair_products(charge)
        for each in self.rounds:
            hidden, push, kick = each(hidden, self.pairs, pos, velocity, products)
            velocity = velocity + kick
            pos = pos + self.share * velocity + push
        return pos


class PairRound(nn.Module):
    """One round: messages of pairs, and by how much they push and kick their particles."""

    def __init__(self, width: int, relative: bool) -> None:
        super().__init__()
        self.relative = relative
        self.ends = nn.Linear(width, width)
        self.geometry = nn.Linear(8 if relative else 4, width, bias=False)
        self.message = nn.Linear(width, width)
        self.weigh = nn.Linear(width, 4 if relative else 2)
        self.update = perceptron(2 * width, width, width)
        # At the start of training there is uniform motion.
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)

    def forward(
        self, hidden: Tensor, pairs: Tensor, pos: Tensor, velocity: Tensor, products: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden channels, and what is added to positions and to velocities."""
        away, drift = pairs @ pos, pairs @ velocity
        distance = (away.square().sum(2, keepdim=True) + 1e-4).sqrt()
        inverse = 1 / (distance + 0.1)
        seen = [products, distance, inverse, distance.log()]
        if self.relative:
            square = drift.square().sum(2, keepdim=True)
            radial = (away * drift).sum(2, keepdim=True) / distance
            # Of a pair by itself: its size tells the period of the orbit.
            energy = products / (distance + 0.05) + square / 4
            seen += [square / (1 + square), (1 + square).log(), radial, energy.clamp(-6.0, 6.0)]
        both = pairs.abs()
        inside = both @ self.ends(hidden) + self.geometry(torch.cat(seen, 2))
        message = nn.functional.silu(self.message(nn.functional.silu(inside)))
        along = torch.stack([away * inverse, drift] if self.relative else [away * inverse], 2)
        weights = self.weigh(message).unflatten(2, (2, -1, 1))
        push, kick = pairs.mT @ (weights * along.unsqueeze(2)).sum(3).movedim(2, 0)
        hidden = hidden + self.update(torch.cat([hidden, both.mT @ message], 2))
        return hidden, push, kick


def perceptron(size_in: int, width: int, size_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size_in, width), nn.SiLU(), nn.Linear(width, size_out))


MODELS = {
    "linear": lambda width, rounds: Linear(),
    "plain": Plain,
    "averaged": lambda width, rounds: Averaged(width, rounds, always=True),
    "averaged-later": lambda width, rounds: Averaged(width, rounds, always=False),
    "distances": lambda width, rounds: EquivariantRounds(width, rounds, relative=False),
    "velocities": lambda width, rounds: EquivariantRounds(width, rounds, relative=True),
}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    generator = torch.Generator().manual_seed(arguments.seed)
    train, validation, test = (
        simulate(count, generator) for count in (arguments.train, arguments.test, arguments.test)
    )
    rows = []
    for name in arguments.models:
        torch.manual_seed(arguments.seed)
        start = time.process_time()
        model = fit(MODELS[name](arguments.width, arguments.rounds), train, arguments)
        trained = time.process_time()
        error = errors(model, test)
        told = time.process_time()
        rows.append(
            {
                "model": name,
                "mse": float(error.mean()),
                "median": float(error.median()),
                "validation": float(errors(model, validation).mean()),
                "gap SO(3)": gap(model, test, TURNS),
                "gap O(3)": gap(model, test, REFLECTIONS),
                "parameters": sum(p.numel() for p in model.parameters()),
                "cpu_s": round(trained - start),
                "test_s": told - trained,
            }
        )
    publish(rows, arguments)


def fit(model: nn.Module, data: Trajectories, arguments: argparse.Namespace) -> nn.Module:
    """Trains a model on the squared error; returns the moving average."""
    rate, steps = arguments.learning_rate, arguments.steps
    optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.98), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    average = AveragedWeights(model, 0.998)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < arguments.batch_size:
            order = torch.randperm(len(data.pos))
        pick, order = order.split([arguments.batch_size, len(order) - arguments.batch_size])
        charge, *vectors = (part[pick] for part in data)
        turn = TURNS.sample(len(pick))
        pos, velocity, later = (TURNS.act(turn, x) for x in vectors)
        optimizer.zero_grad()
        (model(charge, pos, velocity) - later).square().mean().backward()
        # Pairs that pass closely have gradients far above the others'.
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        schedule.step()
        average.update(step)
    return average.model


@torch.no_grad()
def errors(model: nn.Module, data: Trajectories) -> Tensor:
    """Mean squared deviation of each trajectory (b)."""
    told = [model(*(part[rows] for part in data[:3])) for rows in torch.arange(len(data.pos)).split(500)]
    return (torch.cat(told) - data.later).square().mean((1, 2))


@torch.no_grad()
def gap(model: nn.Module, data: Trajectories, group: Orthogonal = TURNS) -> float:
    """Median over clouds of how far a model is from equivariant under a group, charges alternating."""
    charge = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])

    def displacement(points: Tensor) -> Tensor:
        pos, velocity = points.chunk(2, 1)
        return model(charge.expand(len(pos), -1), pos, velocity) - pos - velocity

    points = torch.cat([data.pos, data.velocity], 1)[:200]
    return float(equivariance_gap(displacement, group, points, group.act).median())


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    made.add_argument("--train", type=int, default=3000, help="trajectories to train on")
    made.add_argument("--test", type=int, default=2000, help="trajectories to test on, and to validate")
    made.add_argument("--width", type=int, default=64)
    made.add_argument("--rounds", type=int, default=4)
    made.add_argument("--steps", type=int, default=3000)
    made.add_argument("--batch-size", type=int, default=100)
    made.add_argument("--learning-rate", type=float, default=2e-3)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
