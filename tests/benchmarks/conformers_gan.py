"""IVE-GAN and plain GANs on conformers of an alkane in random poses: which of its rotamers are generated.

The data are the heavy atoms of 3,000 conformers of hexane by RDKit's ETKDGv3 (Wang 2020,
doi:10.1021/acs.jcim.0c00025), a third for testing alone; each time that one is drawn, it has normal noise of
its own (0.03 Å a coordinate) and is turned and moved at random. Each of the three torsions is trans, gauche+
or gauche-, which makes 27 families of conformers, which ETKDG gives unequally often.

Of 10,000 samples those are `good` whose bond lengths and distances of next-nearest neighbours are within
0.15 Å of their means in the data and whose torsions are within 30° of 180°, 60° or -60°. `families` are those
of which there is a good sample, `shared` those that have at least a fifth of their share in the data among
the good samples, and `histogram` is half the sum of the absolute differences of the families' shares from
those in the data; `spread` is the standard deviation of torsions within a family, in degrees. The row `real`
is of test conformers.

- `posed`: generator and critic of coordinates as they are, with a penalty on the critic's gradient
  (Mescheder et al. 2018);
- `plain`: the critic sees coordinates in the frame of three atoms in the middle, which is unchanged by
  SE(3), so that nothing has to be learned about the pose;
- `penalised`: the same with the penalty;
- `IVE-GAN` (Winter, Clevert 2017, arXiv:1711.08646; molae.adversarial): the same beside an encoder and a
  critic of pairs in the same frame; it generates from codes of 8 signs and 12 normal numbers. The
  transformation takes a conformer to a random one of 500 others within 1 Å of it in all coordinates in the
  frame, or to itself, in a new random pose; nobody tells which family it is of. `returned` is the share of
  test conformers x whose G(E(x), z) is good and of the same family, `error` its root mean squared deviation
  from x per atom in the frame, in Å, and `gap` the largest change under SE(3) of what the encoder gives
  before it is rounded to signs.

All have the same generator, steps, batches and learning rates; what is tested are moving averages of weights.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mixtures import MODELS as FRAMED
from mixtures import PairPerceptron, Perceptron, PlainGAN, fit, pick_within
from rdkit import Chem
from report import parser, publish
from torch import Tensor, nn

from molae.adversarial import InvariantEncodingGAN
from molae.chem.etkdg import sample_etkdg
from molae.chem.torsions import fixed_torsions, measure_torsions
from molae.groups import SpecialEuclidean
from molae.ops import gram_schmidt_frame
from molae.testing import equivariance_gap

CODE, NOISE, REACH = 8, 12, 1.0
MODELS = ("posed", *FRAMED)
MOTIONS = SpecialEuclidean(3, spread=5.0)


class Conformers(NamedTuple):
    """Positions (n m 3) of the carbons of conformers of an alkane, in Å, in the order of the chain."""

    pos: Tensor
    noise: float

    def draw(self, count: int) -> Tensor:
        pos = self.pos[torch.randint(len(self.pos), (count,))]
        return present(pos + self.noise * torch.randn_like(pos))

    def neighbour(self, x: Tensor) -> Tensor:
        """Takes conformers to other ones within reach, of 500, or to themselves, in new poses."""
        found = pick_within(framed(x).flatten(1), framed(self.draw(500)).flatten(1), REACH)
        return present(found.unflatten(1, x.shape[1:]))


def embed(carbons: int, count: int, noise: float, seed: int) -> tuple[Conformers, Conformers]:
    """Conformers of an unbranched alkane to train on, and half as many to test on."""
    molecule = Chem.AddHs(Chem.MolFromSmiles("C" * carbons))
    pos = torch.from_numpy(sample_etkdg(molecule, count, seed)[:, :carbons]).float()
    training = len(pos) * 2 // 3
    return Conformers(pos[:training], noise), Conformers(pos[training:], noise)


def present(pos: Tensor) -> Tensor:
    """Turns and moves conformers at random."""
    return MOTIONS.act(MOTIONS.sample(len(pos)), pos)


def framed(pos: Tensor) -> Tensor:
    """Positions in the frame of an atom in the middle and of its neighbours; SE(3) does not change them."""
    middle = (pos.shape[1] - 1) // 2
    away = pos - pos[:, middle : middle + 1]
    rotation, _ = gram_schmidt_frame(torch.stack([away[:, middle + 1], away[:, middle - 1]], 1))
    return away @ rotation


class Families(NamedTuple):
    """What conformers of an alkane are judged by.

    Attributes:
        near: Distances (2m-3) of atoms next to each other, then of those after these, in the data.
        share: Shares (3^(m-3)) of the families in the data.
    """

    near: Tensor
    share: Tensor

    @classmethod
    def of(cls, data: Conformers) -> Families:
        """Those of conformers without noise."""
        label = families(torsions(data.pos))
        share = torch.bincount(label, minlength=3 ** (data.pos.shape[1] - 3)) / len(label)
        return cls(near_distances(data.pos).mean(0), share)

    def good(self, pos: Tensor) -> Tensor:
        """Whether each has the distances and torsions that an alkane should have."""
        strain = (near_distances(pos) - self.near).abs().amax(1)
        turned = off_well(torsions(pos)).abs().amax(1)
        return (strain < 0.15) & (turned < math.pi / 6)

    def figures(self, pos: Tensor) -> dict[str, float]:
        """How many families samples find, and how well."""
        good = self.good(pos)
        angles = torsions(pos[good])
        label = families(angles)
        found = torch.bincount(label, minlength=len(self.share))
        share = found / found.sum().clamp(min=1)
        off = off_well(angles)
        mean = off.new_zeros(len(found), off.shape[1]).index_add(0, label, off) / found.clamp(min=1)[:, None]
        scatter = (off - mean[label]).square().sum() / max(off.numel(), 1)
        return {
            "families": int((found > 0).sum()),
            "shared": int(((share >= self.share / 5) & (found > 0)).sum()),
            "good": float(good.float().mean()),
            "histogram": float((share - self.share).abs().sum() / 2),
            "spread": math.degrees(scatter.sqrt()),
        }


def off_well(angles: Tensor) -> Tensor:
    """How far torsions are from the odd multiple of 60° that is nearest."""
    third = 2 * math.pi / 3
    return angles % third - third / 2


def near_distances(pos: Tensor) -> Tensor:
    return torch.cat([(pos[:, k:] - pos[:, :-k]).norm(dim=2) for k in (1, 2)], 1)


def torsions(pos: Tensor) -> Tensor:
    """Torsion angles (b m-3) along the chain, in radians."""
    size = pos.shape[1]
    chain = fixed_torsions([range(k, k + 4) for k in range(size - 3)], size)
    return torch.from_numpy(measure_torsions(pos.detach().numpy().astype(np.float64), chain))


def families(angles: Tensor) -> Tensor:
    """Number of the family that torsion angles (b t) make: a digit of 0, 1 or 2 for each."""
    well = (angles % (2 * math.pi) / (2 * math.pi / 3)).long().clamp(max=2)
    return (well * 3 ** torch.arange(angles.shape[1])).sum(1)


class InFrame(nn.Module):
    """A network on positions in the frame of each."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *parts: Tensor) -> Tensor:
        return self.network(*(framed(part).flatten(1) for part in parts))


class Centred(InFrame):
    """A network on positions as they are but for their centre."""

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x - x.mean(1, keepdim=True)).flatten(1))


class Generator(Perceptron):
    """A perceptron that gives positions (b m 3), in Å."""

    def forward(self, *parts: Tensor) -> Tensor:
        return super().forward(*parts).unflatten(1, (-1, 3))


def build(name: str, data: Conformers, arguments: argparse.Namespace) -> PlainGAN | InvariantEncodingGAN:
    width, size = arguments.width, data.pos[0].numel()
    generator = Generator(CODE + NOISE, width, size, scale=2.0)
    look = Centred if name == "posed" else InFrame
    critic = look(Perceptron(size, width, 1))
    if name != "IVE-GAN":
        return PlainGAN(generator, critic, CODE + NOISE, 0.0 if name == "plain" else arguments.penalty)
    return InvariantEncodingGAN(
        InFrame(Perceptron(size, width, CODE)),
        generator,
        InFrame(PairPerceptron(size, width, REACH)),
        critic,
        data.neighbour,
        CODE,
        NOISE,
        arguments.penalty,
    )


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    training, test = embed(arguments.carbons, arguments.conformers, arguments.noise, arguments.seed)
    judge = Families.of(training)
    torch.manual_seed(arguments.seed)
    rows, models = [{"model": "real", **judge.figures(test.draw(10_000))}], {}
    for name in arguments.models:
        torch.manual_seed(arguments.seed)
        start = time.process_time()
        model = models[name] = fit(build(name, training, arguments), training.draw, arguments)
        facts = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "cpu_s": round(time.process_time() - start),
        }
        rows.append({"model": name, **measure(model, judge, test), **facts})
    publish(rows, arguments)
    if arguments.picture is not None:
        draw(models, test, judge, arguments.picture)


@torch.no_grad()
def measure(model: PlainGAN | InvariantEncodingGAN, judge: Families, test: Conformers) -> dict[str, float]:
    """Figures of samples, and of the inverse mapping where there is one."""
    figures = judge.figures(model.sample(10_000))
    if isinstance(model, InvariantEncodingGAN):
        x = test.draw(5000)
        again = model.decode(model.encode(x))
        same = families(torsions(x)) == families(torsions(again))
        figures["returned"] = float((same & judge.good(again)).float().mean())
        figures["error"] = float((framed(again) - framed(x)).square().sum(2).mean(1).sqrt().mean())
        figures["gap"] = float(equivariance_gap(model.encoder, MOTIONS, x[:500]).max())
    return figures


@torch.no_grad()
def draw(
    models: dict[str, PlainGAN | InvariantEncodingGAN], test: Conformers, judge: Families, path: Path
) -> None:
    """Draws the first two torsions of the good samples of each model beside those of the data."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    clouds = {"data": test.draw(2000), **{name: model.sample(2000) for name, model in models.items()}}
    figure, panels = plt.subplots(
        1, len(clouds), figsize=(2.6 * len(clouds), 2.9), sharex=True, sharey=True, squeeze=False
    )
    for axes, (name, pos) in zip(panels[0], clouds.items(), strict=True):
        angle = torsions(pos[judge.good(pos)]).rad2deg() % 360
        axes.scatter(*angle[:, :2].T, s=3, color="#3b6fb6", alpha=0.5)
        axes.set(title=name, aspect="equal", xlim=(0, 360), ylim=(0, 360), xticks=(60, 180, 300))
        axes.set(yticks=(60, 180, 300), xlabel="first torsion, °")
    panels[0][0].set_ylabel("second torsion, °")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    made.add_argument("--carbons", type=int, default=6, help="5 for pentane, with 9 families")
    made.add_argument("--conformers", type=int, default=3000, help="to embed, a third of them to test on")
    made.add_argument("--noise", type=float, default=0.03, help="standard deviation of a coordinate, in Å")
    made.add_argument("--width", type=int, default=96)
    made.add_argument("--penalty", type=float, default=0.02)
    made.add_argument("--steps", type=int, default=4000)
    made.add_argument("--batch-size", type=int, default=256)
    made.add_argument("--learning-rate", type=float, default=1e-3)
    made.add_argument("--picture", type=Path, help="image to draw (needs matplotlib)")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
