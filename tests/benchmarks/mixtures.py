"""IVE-GAN and plain GANs on 25 Gaussians on a grid, and on 8 on a ring: how many of them are found.

The mixtures are those on which GANs are known to leave modes out: standard deviation 0.05 at the points of a
grid of spacing 2, and 0.02 on a ring of radius 2. A sample is of high quality if it is within three standard
deviations of its mode (98.9 % of real ones are), and a mode is found if any of 10,000 samples is of high
quality and its own. `divergence` is that of the found modes' shares from equal ones, in nats.

- `plain`: generator and critic (Goodfellow et al. 2014), from 10 normal numbers;
- `penalised`: the same with a penalty on the critic's gradient at real samples (Mescheder et al. 2018);
- `IVE-GAN` (Winter, Clevert 2017, arXiv:1711.08646; molae.adversarial): the same generator and critic, beside
  an encoder and a critic of pairs; it generates from codes of 8 signs and 2 normal numbers. The
  transformation takes a real sample to a random one of the real samples within five standard deviations of
  it; nobody tells which mode that is, or how many there are. `returned` is the share of unseen real samples x
  whose G(E(x), z) is at the same mode, and `kept` that of samples whose code is the same before and after the
  transformation.

All have the same steps, batches and learning rates; what is tested are moving averages of the weights.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from report import parser, publish
from torch import Tensor, nn

from molae.adversarial import InvariantEncodingGAN
from molae.loss.adversarial import critic_loss, generator_loss
from molae.training.average import AveragedWeights

CODE, NOISE = 8, 2


class Mixture(NamedTuple):
    """Equal round Gaussians at `centres` (k 2), of the standard deviation `width`."""

    centres: Tensor
    width: float

    def draw(self, count: int) -> Tensor:
        pick = torch.randint(len(self.centres), (count,))
        return self.centres[pick] + self.width * torch.randn(count, 2)

    @property
    def reach(self) -> float:
        """How far neighbours may be from each other."""
        return 5 * self.width

    def neighbour(self, x: Tensor) -> Tensor:
        """Takes samples to other ones within reach, of 500; to themselves where there are none."""
        return pick_within(x, self.draw(500), self.reach)

    def figures(self, samples: Tensor) -> dict[str, float]:
        """How many modes the samples find, and how well."""
        distance, mode = torch.cdist(samples, self.centres).min(1)
        good = distance < 3 * self.width
        share = torch.bincount(mode[good], minlength=len(self.centres)) / good.sum().clamp(min=1)
        return {
            "modes": int((share > 0).sum()),
            "high_quality": float(good.float().mean()),
            "divergence": float(torch.special.xlogy(share, share * len(share)).sum()),
        }


def pick_within(x: Tensor, others: Tensor, reach: float) -> Tensor:
    """For each x (b d) a random one of the others (k d) within reach of it; x itself where there are none."""
    near = (torch.cdist(x, others) < reach) * torch.rand(len(x), len(others))
    closeness, pick = near.max(1)
    return torch.where(closeness.unsqueeze(1) > 0, others[pick], x)


def grid() -> Mixture:
    line = torch.arange(-4.0, 5.0, 2.0)
    return Mixture(torch.cartesian_prod(line, line), 0.05)


def ring() -> Mixture:
    angle = torch.arange(8) * (2 * math.pi / 8)
    return Mixture(2 * torch.stack([angle.cos(), angle.sin()], 1), 0.02)


MIXTURES = {"grid": grid, "ring": ring}


class Perceptron(nn.Module):
    """A perceptron on everything it is given, side by side; a score has no axis of its own."""

    def __init__(self, size_in: int, width: int, size_out: int, scale: float = 1.0) -> None:
        super().__init__()
        sizes = [size_in, width, width, width]
        layers = [nn.Sequential(nn.Linear(*pair), nn.LeakyReLU(0.2)) for pair in pairwise(sizes)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, size_out))
        self.scale = scale

    def forward(self, *parts: Tensor) -> Tensor:
        out = self.scale * self.layers(torch.cat(parts, 1))
        return out.squeeze(1) if out.shape[1] == 1 else out


class PairPerceptron(Perceptron):
    """The same on a sample and on the difference of another one from it, in units of the reach."""

    def __init__(self, size: int, width: int, reach: float) -> None:
        super().__init__(2 * size, width, 1)
        self.reach = reach

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return super().forward(x, (other - x) / self.reach)


class PlainGAN(nn.Module):
    """A generator, which takes `size` normal numbers, and a critic."""

    def __init__(self, generator: nn.Module, critic: nn.Module, size: int, penalty: float) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.size = size
        self.penalty = penalty

    def sample(self, count: int) -> Tensor:
        return self.generator(torch.randn(count, self.size))

    def critic_loss(self, x: Tensor) -> Tensor:
        return critic_loss(self.critic, [x], [self.sample(len(x)).detach()], self.penalty)

    def generator_loss(self, x: Tensor) -> Tensor:
        return generator_loss(self.critic, [self.sample(len(x))])


def build(name: str, mixture: Mixture, arguments: argparse.Namespace) -> PlainGAN | InvariantEncodingGAN:
    width, spread = arguments.width, float(mixture.centres.std())
    generator, critic = Perceptron(CODE + NOISE, width, 2, scale=spread), Perceptron(2, width, 1)
    if name != "IVE-GAN":
        return PlainGAN(generator, critic, CODE + NOISE, 0.0 if name == "plain" else arguments.penalty)
    return InvariantEncodingGAN(
        Perceptron(2, width, CODE),
        generator,
        PairPerceptron(2, width, mixture.reach),
        critic,
        mixture.neighbour,
        CODE,
        NOISE,
        arguments.penalty,
    )


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    rows = []
    for kind in arguments.mixtures:
        mixture = MIXTURES[kind]()
        for name in arguments.models:
            torch.manual_seed(arguments.seed)
            start = time.process_time()
            model = fit(build(name, mixture, arguments), mixture.draw, arguments)
            facts = {
                "parameters": sum(p.numel() for p in model.parameters()),
                "cpu_s": round(time.process_time() - start),
            }
            rows.append({"mixture": kind, "model": name, **measure(model, mixture), **facts})
    publish(rows, arguments)


def fit(
    model: PlainGAN | InvariantEncodingGAN, draw: Callable[[int], Tensor], arguments: argparse.Namespace
) -> PlainGAN | InvariantEncodingGAN:
    """Trains critics and generator in turn on what `draw` gives; returns the moving average.

    Learning rates fall in the second half, that of the critics to 0.3 of it rather than to 0: a code on its
    way from one mode to another may be left between them where critics become as slow as the generator.
    """
    critics = [p for name, p in model.named_parameters() if "critic" in name]
    others = [p for name, p in model.named_parameters() if "critic" not in name]
    sides = []
    for parameters, loss, least in ((critics, model.critic_loss, 0.3), (others, model.generator_loss, 0.0)):
        optimizer = torch.optim.Adam(parameters, arguments.learning_rate, betas=(0.0, 0.99), fused=True)
        fall = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_fall, arguments.steps, least))
        sides.append((parameters, loss, optimizer, fall))
    average = AveragedWeights(model, 0.998)
    for step in range(arguments.steps):
        for parameters, loss, optimizer, fall in sides:
            value = loss(draw(arguments.batch_size))
            for parameter, slope in zip(parameters, torch.autograd.grad(value, parameters), strict=True):
                parameter.grad = slope
            optimizer.step()
            fall.step()
        average.update(step)
    return average.model


def _fall(steps: int, least: float, step: int) -> float:
    """Share of the learning rate at a step: 1 in the first half, then down to `least` along a line."""
    return max(least, min(1.0, 2 - 2 * step / steps))


@torch.no_grad()
def measure(model: PlainGAN | InvariantEncodingGAN, mixture: Mixture) -> dict[str, float]:
    """Figures of samples, and of the inverse mapping where there is one."""
    figures = mixture.figures(model.sample(10_000))
    if isinstance(model, InvariantEncodingGAN):
        x = mixture.draw(5000)
        code, other = model.encode(x), model.encode(mixture.neighbour(x))
        modes = [torch.cdist(points, mixture.centres).argmin(1) for points in (x, model.decode(code))]
        figures["returned"] = float((modes[0] == modes[1]).float().mean())
        figures["kept"] = float((code == other).all(1).float().mean())
    return figures


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--mixtures", nargs="+", default=list(MIXTURES), choices=MIXTURES)
    made.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    made.add_argument("--width", type=int, default=96)
    made.add_argument("--penalty", type=float, default=0.005)
    made.add_argument("--steps", type=int, default=6000)
    made.add_argument("--batch-size", type=int, default=256)
    made.add_argument("--learning-rate", type=float, default=1e-3)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


MODELS = ("plain", "penalised", "IVE-GAN")

if __name__ == "__main__":
    main()
