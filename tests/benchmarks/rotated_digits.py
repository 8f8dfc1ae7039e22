"""SO(2) on images: reconstruction and classes of rotated digits from a code that was not told of them.

Handwritten digits of 8 × 8 pixels (scikit-learn's `load_digits`, inside the package), with a margin so that
nothing is turned out of the image, each turned by a random angle; a third of the digits is for testing alone.
The experiment is that of Winter et al. 2022 (arXiv:2202.07559) on MNIST, with its models:

- `invariant`: a code of the image in its own pose, and that pose g; the decoded x̂ is turned by g;
- `classical`: the code is of the image as it is;
- `quotient`: likewise, but x̂ may be turned as fits the image best before they are compared;
- `norm-pooled`: the code is of the absolute values of the coefficients, which are invariant; x̂ likewise.

All see the image as coefficients of circular harmonics, have the same two networks and see the same images
equally often, with the same noise on the code in training. The pose of `invariant` is the one, of 24 that are
then interpolated, in which a small autoencoder of a few numbers reconstructs the image best. It learns from
images in the poses that it found; since it has no room for every pose, like images come to have like ones.

The loss is the mean squared error of pixels from 0 to 1, of unseen digits; the classes are those of the 5
nearest codes of training digits, each turned once.

With `--mnist FOLDER` the digits are those of MNIST, 28 × 28 pixels, of which the usual 10,000 are for testing
alone. FOLDER is what `torchvision.datasets.MNIST(FOLDER, download=True)` leaves; nothing is downloaded here.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from report import parser, publish
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from molae.errors import ConfigError, DataError
from molae.groups import CyclicRotations, ImageRotations
from molae.nn.harmonics import CircularHarmonics
from molae.nn.mlp import residual_mlp
from molae.testing import equivariance_gap

MARGIN, POSES = 2, 24
#: Images that are turned or read at once, so that memory does not grow with the data.
PART = 1000
#: Channels of the small autoencoder that finds the pose, and of its code.
SCOUT, FEW = 48, 6
ROTATIONS = ImageRotations()


class Classical(nn.Module):
    """An autoencoder of images, as coefficients.

    Args:
        code_size: Channels of the code.
        width: Channels of both networks.
        noise: Standard deviation of the noise on the code in training.
        size: Pixels along a side of the images.
    """

    def __init__(self, code_size: int, width: int, noise: float, size: int) -> None:
        super().__init__()
        self.size = size
        self.harmonics = CircularHarmonics(size)
        self.noise = noise
        self.encoder = residual_mlp(2 * len(self.harmonics.order), width, 2, code_size)
        self.decoder = residual_mlp(code_size, width, 2, size * size)

    def read(self, coefficients: Tensor) -> Tensor:
        """The code of an image in the pose that it has."""
        return self.encoder(torch.view_as_real(coefficients).flatten(1))

    def canonical(self, code: Tensor) -> Tensor:
        """The image that is decoded, in its canonical pose."""
        if self.training:
            code = code + self.noise * torch.randn_like(code)
        return self.decoder(code).unflatten(1, (self.size, self.size))

    def code(self, images: Tensor) -> Tensor:
        return self.read(self.harmonics(images))

    def forward(self, images: Tensor) -> Tensor:
        """The reconstructed images."""
        return self.canonical(self.code(images))

    def loss(self, images: Tensor) -> Tensor:
        return (self(images) - images).square().mean()


class Quotient(Classical):
    """Turns what it decoded as fits best."""

    def forward(self, images: Tensor) -> Tensor:
        canonical = super().forward(images)
        with torch.no_grad():
            wanted, found = self.harmonics(images), self.harmonics(canonical)
            turned = self.harmonics.turn(found.unsqueeze(1), poses().expand(len(found), -1))
            angle = least((turned - wanted.unsqueeze(1)).abs().square().sum(2))
        return ROTATIONS.act(matrices(angle), canonical)


class NormPooled(Quotient):
    """Reads the absolute values of the coefficients, mixed within each order to three times as many."""

    def __init__(self, code_size: int, width: int, noise: float, size: int) -> None:
        super().__init__(code_size, width, noise, size)
        order = self.harmonics.order
        self.mix = nn.Parameter(torch.randn(2, 2 * len(order), len(order)) / 2)
        self.register_buffer("same", order.repeat(2).unsqueeze(1) == order, persistent=False)

    def read(self, coefficients: Tensor) -> Tensor:
        mixed = coefficients @ torch.complex(*(self.mix * self.same)).mT
        return self.encoder(mixed.abs().clamp(min=1e-6))


class Invariant(Classical):
    """Reads the image in the pose in which a small autoencoder reconstructs it best, and turns it back."""

    def __init__(self, code_size: int, width: int, noise: float, size: int) -> None:
        super().__init__(code_size, width, noise, size)
        read = 2 * len(self.harmonics.order)
        self.scout = nn.Sequential(
            *(nn.Linear(read, SCOUT), nn.GELU(), nn.Linear(SCOUT, FEW)),
            *(nn.Linear(FEW, SCOUT), nn.GELU(), nn.Linear(SCOUT, read)),
        )

    def code(self, images: Tensor) -> Tensor:
        return self.read(self._canonicalise(images)[0])

    def forward(self, images: Tensor) -> Tensor:
        coefficients, angle = self._canonicalise(images)
        return ROTATIONS.act(matrices(angle), self.canonical(self.read(coefficients)))

    def loss(self, images: Tensor) -> Tensor:
        return super().loss(images) + self._misfit(self._canonicalise(images)[0]).mean()

    @torch.no_grad()
    def _canonicalise(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of the images in the canonical pose, and the angles from there."""
        coefficients = self.harmonics(images)
        tried = self.harmonics.turn(coefficients.unsqueeze(1), -poses().expand(len(images), -1))
        angle = least(self._misfit(tried.flatten(0, 1)).unflatten(0, (-1, POSES)))
        return self.harmonics.turn(coefficients, -angle), angle

    def _misfit(self, coefficients: Tensor) -> Tensor:
        """Mean squared error of the small autoencoder, for each image."""
        flat = torch.view_as_real(coefficients).flatten(1)
        return (self.scout(flat) - flat).square().mean(1)


MODELS = {"invariant": Invariant, "classical": Classical, "quotient": Quotient, "norm-pooled": NormPooled}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    images, classes, unseen = digits(arguments.seed) if arguments.mnist is None else mnist(arguments.mnist)
    if arguments.copies is None:
        arguments.copies = 16 if arguments.mnist is None else 1
    rows = []
    for name in arguments.models:
        torch.manual_seed(arguments.seed)
        model = MODELS[name](arguments.code_size, arguments.width, arguments.noise, images.shape[1])
        start = time.process_time()
        fit(model, images[~unseen], arguments)
        rows.append({"model": name, **measure(model, images, classes, unseen, arguments.seed)})
        rows[-1]["cpu_s"] = round(time.process_time() - start)
        print(rows[-1], flush=True)
    publish(rows, arguments, train=int((~unseen).sum()), test=int(unseen.sum()))


def digits(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Upright images (b h h) with a margin, their classes, and which third of them is for testing."""
    data = load_digits()
    images = nn.functional.pad(torch.from_numpy(data.images / 16).float(), (MARGIN,) * 4)
    unseen = torch.zeros(len(images), dtype=torch.bool)
    unseen[torch.randperm(len(images), generator=_generator(seed))[: len(images) // 3]] = True
    return images, torch.from_numpy(data.target), unseen


def mnist(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    """The same of MNIST, which has a margin already; its own test images are for testing.

    Args:
        folder: Where torchvision has put it.
    Raises:
        ConfigError: If torchvision is not installed.
        DataError: If the folder does not have the files.
    """
    try:
        from torchvision.datasets import MNIST
    except ImportError as error:
        raise ConfigError("MNIST is read by torchvision: pip install torchvision") from error
    try:
        known, unseen = (MNIST(folder, train=train, download=False) for train in (True, False))
    except RuntimeError as error:
        raise DataError(
            f"no MNIST in {folder}, which should have MNIST/raw/train-images-idx3-ubyte and the three other "
            f"files: torchvision.datasets.MNIST({str(folder)!r}, download=True) fetches them"
        ) from error
    images = torch.cat([known.data, unseen.data]).float() / 255
    return images, torch.cat([known.targets, unseen.targets]), torch.arange(len(images)) >= len(known)


def fit(model: Classical, images: Tensor, arguments: argparse.Namespace) -> None:
    """Trains a model on the images, each in `copies` random poses."""
    generator = _generator(arguments.seed + 1)
    pool = present(images.repeat(arguments.copies, 1, 1), generator)
    rate, steps = arguments.learning_rate, arguments.steps
    optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    model.train()
    for _ in range(steps):
        batch = pool[torch.randint(len(pool), (arguments.batch_size,), generator=generator)]
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()
        schedule.step()
    model.eval()


@torch.no_grad()
def measure(
    model: Classical, images: Tensor, classes: Tensor, unseen: Tensor, seed: int
) -> dict[str, float | int]:
    """Figures of a trained model."""
    turned = present(images, _generator(seed + 2))
    known, test = turned[~unseen], turned[unseen]
    neighbours = KNeighborsClassifier(5, weights="distance")
    neighbours.fit(_by_parts(model.code, known), classes[~unseen])
    gaps, some = {"quarter": CyclicRotations(4), "any": ROTATIONS}, test[:PART]
    return {
        "loss": float((_by_parts(model, test) - test).square().mean()),
        "knn": float(neighbours.score(_by_parts(model.code, test), classes[unseen])),
        **{
            f"gap_{name}": float(equivariance_gap(model.code, group, some, generator=_generator(0)).median())
            for name, group in gaps.items()
        },
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def present(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images turned by random angles."""
    turns = ROTATIONS.sample(len(images), generator=generator)
    parts = zip(turns.split(PART), images.split(PART), strict=True)
    return torch.cat([ROTATIONS.act(turn, part) for turn, part in parts])


def poses() -> Tensor:
    """Angles that are tried, in radians."""
    return torch.arange(POSES) * (2 * math.pi / POSES)


def least(errors: Tensor) -> Tensor:
    """The angle of the least error: of those tried, then of a parabola through it and its neighbours.

    Args:
        errors: Of each image (b) in each of the poses.
    Returns:
        Angles (b) in radians.
    """
    best = errors.argmin(1, keepdim=True)
    before, at, after = (errors.gather(1, (best + shift) % POSES) for shift in (-1, 0, 1))
    # Of three equal errors the middle one, not 0 / 0.
    shift = (before - after) / (2 * (before - 2 * at + after)).clamp(min=1e-12)
    return ((best + shift.clamp(-0.5, 0.5)) * (2 * math.pi / POSES)).squeeze(1)


def matrices(angle: Tensor) -> Tensor:
    """Rotation matrices (b 2 2) of angles (b) in radians."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)


def _by_parts(tell: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """What a model tells of many images, a part of them at a time."""
    return torch.cat([tell(part) for part in images.split(PART)])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    made.add_argument("--code-size", type=int, default=16)
    made.add_argument("--width", type=int, default=128)
    made.add_argument("--noise", type=float, default=0.2, help="on the code in training")
    made.add_argument("--copies", type=int, help="random poses of each training image (16; 1 of MNIST)")
    made.add_argument("--mnist", type=Path, metavar="FOLDER", help="read MNIST from here by torchvision")
    made.add_argument("--steps", type=int, default=500)
    made.add_argument("--batch-size", type=int, default=64)
    made.add_argument("--learning-rate", type=float, default=3e-3)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
