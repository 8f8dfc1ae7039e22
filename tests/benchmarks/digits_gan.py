"""IVE-GAN and plain GANs on handwritten digits in any of four poses: which of them are generated, how well.

Images of 8 × 8 pixels from 0 to 1 (scikit-learn's `load_digits`, inside the package), each by a random number
of quarter turns, C_4; a third is for testing alone. A turned 6 is a 9: both are one class, of 9 in all. A
small classifier, trained on the training images in all poses, judges 5,000 samples:

- `classes`: those that any sample surely is (with a probability of 0.9 or more), and `sure` the share of
  samples that are;
- `histogram`: half the sum of the absolute differences of the shares of these from those of test images;
- `frechet`: Fréchet distance of samples and test images in the classifier's last hidden layer (32 channels).

The models are those of mixtures.py (Goodfellow et al. 2014; the same with a penalty on the critic's gradient;
Winter, Clevert 2017, arXiv:1711.08646), with the same generator, critic, steps, batches and learning rates.
The transformation of IVE-GAN is a random element of C_4, and its encoder averages over the group, so that
codes are invariant exactly. Learning rate and penalty were chosen for `penalised` alone, by its distance from
the training images with another seed. The inverse mapping of IVE-GAN is judged on test images x:

- `returned`: share of G(E(x), z) that the classifier gives to the class of x;
- `error`: mean squared error of G(E(x), z) in the pose in which it is nearest to x;
- `neighbours`: share of x whose class is that of most of the five nearest codes of training images.

The rows `training` and `test` are of real images instead of samples, in all poses. Those of `test` to the
right are of what takes the place of the inverse mapping there: the image x itself, a training image of its
class, and the pixels of images each in a random pose.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from mixtures import MODELS, Perceptron, PlainGAN, fit
from report import parser, publish
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from molae.adversarial import InvariantEncodingGAN
from molae.groups import CyclicRotations

SIDE, CLASSES, CODE, NOISE = 8, 9, 32, 8
PIXELS = SIDE * SIDE
TURNS = CyclicRotations(4)
SURE = 0.9


class Digits(NamedTuple):
    """Flat images (n 64) of pixels from 0 to 1, and their classes."""

    images: Tensor
    classes: Tensor

    def draw(self, count: int) -> Tensor:
        return turn(self.images[torch.randint(len(self.images), (count,))])


def split() -> tuple[Digits, Digits]:
    """The training digits, and the others."""
    images, classes = load_digits(return_X_y=True)
    x, y = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(classes)
    y = torch.where(y == 9, 6, y)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    test, training = order.split([len(x) // 3, len(x) - len(x) // 3])
    return Digits(x[training], y[training]), Digits(x[test], y[test])


def turn(x: Tensor, quarters: Tensor | None = None) -> Tensor:
    """Turns flat images, at random unless told."""
    quarters = TURNS.sample(len(x)) if quarters is None else quarters
    return TURNS.act(quarters, x.unflatten(1, (SIDE, SIDE))).flatten(1)


def all_poses(x: Tensor) -> Tensor:
    """Flat images in all poses (4 n 64)."""
    return torch.stack([turn(x, torch.full((len(x),), k)) for k in range(TURNS.order)])


class InvariantEncoder(Perceptron):
    """Averages a perceptron over the poses of an image."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(all_poses(x).flatten(0, 1)).unflatten(0, (TURNS.order, -1)).mean(0)


class Judge(nn.Module):
    """A classifier of digits in any pose, and its features."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(PIXELS, width), nn.ReLU(), nn.Linear(width, 32), nn.ReLU())
        self.out = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.features(x))

    def label(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest class of images, and its probability."""
        chance, label = self(x).softmax(1).max(1)
        return label, chance


def teach(digits: Digits, steps: int = 1500) -> Judge:
    """Trains a classifier on images in random poses, with a little noise on their pixels."""
    judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    for _ in range(steps):
        pick = torch.randint(len(digits.images), (128,))
        x = turn(digits.images[pick])
        optimizer.zero_grad()
        noisy = x + 0.1 * torch.randn_like(x)
        nn.functional.cross_entropy(judge(noisy), digits.classes[pick]).backward()
        optimizer.step()
        schedule.step()
    return judge.eval().requires_grad_(False)


def build(name: str, arguments: argparse.Namespace) -> PlainGAN | InvariantEncodingGAN:
    width = arguments.width
    generator, critic = Perceptron(CODE + NOISE, width, PIXELS), Perceptron(PIXELS, width, 1)
    if name != "IVE-GAN":
        return PlainGAN(generator, critic, CODE + NOISE, 0.0 if name == "plain" else arguments.penalty)
    return InvariantEncodingGAN(
        InvariantEncoder(PIXELS, width, CODE),
        generator,
        Perceptron(2 * PIXELS, width, 1),
        critic,
        turn,
        CODE,
        NOISE,
        arguments.penalty,
        arguments.pair_weight,
    )


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    training, test = split()
    torch.manual_seed(arguments.seed)
    judge = teach(training)
    rows = [
        {"model": name, **figures(judge, all_poses(digits.images).flatten(0, 1), test)}
        for name, digits in (("training", training), ("test", test))
    ]
    rows[1] |= real_inverse(judge, training, test)
    models = {}
    for name in arguments.models:
        torch.manual_seed(arguments.seed)
        start = time.process_time()
        model = models[name] = fit(build(name, arguments), training.draw, arguments)
        facts = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "cpu_s": round(time.process_time() - start),
        }
        rows.append({"model": name, **measure(model, judge, training, test), **facts})
    publish(rows, arguments)
    print(f"the classifier is right on {rows[1]['returned']:.1%} of the test images in all poses")
    if arguments.picture is not None:
        draw(models, test, arguments.picture)


@torch.no_grad()
def measure(
    model: PlainGAN | InvariantEncodingGAN, judge: Judge, training: Digits, test: Digits
) -> dict[str, float]:
    """Figures of samples, and of the inverse mapping where there is one."""
    found = figures(judge, model.sample(5000), test)
    if isinstance(model, InvariantEncodingGAN):
        again = model.decode(model.encode(test.images))
        found["returned"] = float((judge.label(again)[0] == test.classes).float().mean())
        found["error"] = pose_error(again, test.images)
        found["neighbours"] = neighbours(model.encode, training, test)
    return found


def real_inverse(judge: Judge, training: Digits, test: Digits) -> dict[str, float]:
    """The same figures of test images themselves, of training images of their classes, and of pixels."""
    others = [torch.nonzero(training.classes == k).squeeze(1) for k in range(CLASSES)]
    pick = [others[k][torch.randint(len(others[k]), ())] for k in test.classes]
    right = judge.label(all_poses(test.images).flatten(0, 1))[0] == test.classes.repeat(TURNS.order)
    return {
        "returned": float(right.float().mean()),
        "error": pose_error(training.images[torch.stack(pick)], test.images),
        "neighbours": neighbours(turn, training, test),
    }


def figures(judge: Judge, samples: Tensor, real: Digits) -> dict[str, float]:
    """How surely samples are digits, how evenly, and how far they are from real ones."""
    label, chance = judge.label(samples)
    kept = label[chance >= SURE]
    share, wanted = (
        torch.bincount(each, minlength=CLASSES) / max(len(each), 1) for each in (kept, real.classes)
    )
    wanted_features = judge.features(all_poses(real.images).flatten(0, 1))
    return {
        "classes": int((share > 0).sum()),
        "sure": len(kept) / len(samples),
        "histogram": float((share - wanted).abs().sum() / 2),
        "frechet": frechet(judge.features(samples), wanted_features),
    }


def frechet(x: Tensor, y: Tensor) -> float:
    """Squared Fréchet distance of the normal distributions with the means and covariances of two samples."""
    x, y = x.double(), y.double()
    a, b = x.T.cov(), y.T.cov()
    values, axes = torch.linalg.eigh(a)
    root = axes * values.clamp(min=0).sqrt() @ axes.T
    cross = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    return float((x.mean(0) - y.mean(0)).square().sum() + a.trace() + b.trace() - 2 * cross)


def pose_error(x: Tensor, target: Tensor) -> float:
    """Mean over images of their squared error in the pose in which it is least."""
    return float((all_poses(x) - target).square().mean(2).amin(0).mean())


def neighbours(code: Callable[[Tensor], Tensor], training: Digits, test: Digits) -> float:
    """Accuracy of the five nearest codes."""
    known = KNeighborsClassifier(5).fit(code(training.images), training.classes)
    return float(known.score(code(test.images), test.classes))


@torch.no_grad()
def draw(models: dict[str, PlainGAN | InvariantEncodingGAN], test: Digits, path: Path) -> None:
    """Draws samples of each model, and beside test images what comes back from their codes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    grids = {name: model.sample(100) for name, model in models.items()}
    if "IVE-GAN" in models:
        code = models["IVE-GAN"].encode(test.images[:10])
        again = [models["IVE-GAN"].decode(code) for _ in range(9)]
        grids["x, and G(E(x), z) below"] = torch.cat([test.images[:10], *again])
    figure, panels = plt.subplots(1, len(grids), figsize=(3 * len(grids), 3.3), squeeze=False)
    for axes, (name, images) in zip(panels[0], grids.items(), strict=True):
        rows = images.clamp(0, 1).unflatten(0, (10, 10)).unflatten(2, (SIDE, SIDE))
        axes.imshow(rows.permute(0, 2, 1, 3).flatten(0, 1).flatten(1), cmap="gray_r")
        axes.set_title(name)
        axes.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    made.add_argument("--width", type=int, default=128)
    made.add_argument("--penalty", type=float, default=0.3)
    made.add_argument("--pair-weight", type=float, default=1.0, help="see molae.adversarial")
    made.add_argument("--steps", type=int, default=6000)
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--learning-rate", type=float, default=2e-3)
    made.add_argument("--picture", type=Path, help="image to draw (needs matplotlib)")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
