"""A circle through a random network: the rotation behind it, found from pairs that nobody explains.

Points of a circle go through a random network of two hidden layers to 20 numbers, x(θ). Pairs x(θ), x(θ + δ)
are seen, with one δ of 0.3 radians that is not told. An autoencoder with a code of two numbers is trained on
them, and molae.nn.symmetry.find_symmetry looks for a generator A that carries the codes of a pair into each
other, each by an amount of its own.

- `codes`: the autoencoder is trained on reconstruction only, and its codes are then searched;
- `aligned`: afterwards it is trained on, with the distance of exp(A) E(x) from E(x') as a second term, A
  being trained too, and the codes are searched again.

`error` is the share of the squared distance in unseen pairs that the generator leaves unexplained; `angle`
the mean of the amounts found, which would be δ, and `spread` their standard deviation as a share of it;
`moved` is the squared error of D(exp(k t A) E(x(θ))) from x(θ + k δ), t the mean amount and k from 0 to 20,
which is a whole turn, as a share of the variance of x; and `reconstruction` that of D(E(x)).
"""

from __future__ import annotations

import argparse
import math
import time
from itertools import pairwise

import torch
from report import parser, publish
from torch import Tensor, nn

from molae.nn.mlp import residual_mlp
from molae.nn.symmetry import find_symmetry

OBSERVED, CODE = 20, 2
STEP, MOST_STEPS = 0.3, 21


class Circle:
    """Points of a circle through a random network.

    Args:
        generator: Source of the network.
    """

    def __init__(self, generator: torch.Generator) -> None:
        sizes = [2, 64, 64, OBSERVED]
        self.weights = [torch.randn(i, o, generator=generator) * (2 / i**0.5) for i, o in pairwise(sizes)]
        # So that each observed number has the variance 1 over the circle.
        points = self._unscaled(torch.linspace(0, 2 * math.pi, 1000))
        self.mean, self.scale = points.mean(0), points.std(0)

    def __call__(self, angle: Tensor) -> Tensor:
        return (self._unscaled(angle) - self.mean) / self.scale

    def pairs(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Points (b 20), their partners, and the angles of the points."""
        angle = 2 * math.pi * torch.rand(count)
        return self(angle), self(angle + STEP), angle

    def _unscaled(self, angle: Tensor) -> Tensor:
        x = torch.stack([angle.cos(), angle.sin()], 1)
        for weight in self.weights:
            x = (x @ weight).tanh()
        return x


class CodedPairs(nn.Module):
    """An autoencoder, and the generator that it learns to be moved by."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder = residual_mlp(OBSERVED, width, 2, CODE)
        self.decoder = residual_mlp(CODE, width, 2, OBSERVED)
        self.generator = nn.Parameter(torch.zeros(CODE, CODE))

    def loss(self, x: Tensor, partner: Tensor, alignment: float) -> Tensor:
        first, second = self.encoder(x), self.encoder(partner)
        loss = (self.decoder(first) - x).square().mean() + (self.decoder(second) - partner).square().mean()
        if alignment == 0:
            return loss
        moved = first @ torch.linalg.matrix_exp(self.generator - self.generator.T).T
        return loss + alignment * (moved - second).square().sum() / (first - second).square().sum()

    @torch.no_grad()
    def whiten(self, x: Tensor) -> None:
        """Rescales codes to the mean 0 and the covariance 1, the reconstruction unchanged."""
        codes = self.encoder(x)
        mean, factor = codes.mean(0), torch.linalg.cholesky(codes.T.cov())
        last, first = self.encoder[-1], self.decoder[0]
        first.bias += first.weight @ mean
        first.weight.copy_(first.weight @ factor)
        last.bias -= mean
        for parameter in (last.weight, last.bias):
            parameter.copy_(torch.linalg.solve(factor, parameter.reshape(CODE, -1)).reshape(parameter.shape))


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    circle = Circle(torch.Generator().manual_seed(arguments.seed))
    model = CodedPairs(arguments.width)
    rows = []
    for name, alignment in (("codes", 0.0), ("aligned", arguments.alignment)):
        start = time.process_time()
        fit(model, circle, alignment, arguments)
        rows.append({"model": name, **measure(model, circle), "cpu_s": round(time.process_time() - start)})
    publish(rows, arguments)


def fit(model: CodedPairs, circle: Circle, alignment: float, arguments: argparse.Namespace) -> None:
    """Trains the autoencoder; with alignment, from the generator that its codes show so far."""
    rate, steps = arguments.learning_rate, arguments.steps
    x, partner, _ = circle.pairs(arguments.pairs)
    if alignment > 0:
        model.whiten(x)
        with torch.no_grad():
            found = find_symmetry(model.encoder(x), model.encoder(partner))
            model.generator.copy_(found.amount.mean() / 2 * found.generator)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    for _ in range(steps):
        pick = torch.randint(len(x), (arguments.batch_size,))
        optimizer.zero_grad()
        model.loss(x[pick], partner[pick], alignment).backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def measure(model: CodedPairs, circle: Circle) -> dict[str, float]:
    """Figures on unseen pairs."""
    x, partner, angle = circle.pairs(2000)
    found = find_symmetry(model.encoder(x), model.encoder(partner))
    steps = torch.randint(MOST_STEPS, (len(x),))
    moved = model.decoder(found.move(model.encoder(x).double(), steps * found.amount.mean()).float())
    return {
        "error": found.error,
        "angle": float(found.amount.mean().abs()),
        "spread": float(found.amount.std() / found.amount.mean().abs()),
        "moved": float((moved - circle(angle + STEP * steps)).square().mean()),
        "reconstruction": float((model.decoder(model.encoder(x)) - x).square().mean()),
    }


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--pairs", type=int, default=2000, help="pairs to train on")
    made.add_argument("--alignment", type=float, default=1.0, help="weight of the second term")
    made.add_argument("--width", type=int, default=64)
    made.add_argument("--steps", type=int, default=1500)
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--learning-rate", type=float, default=3e-3)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
