"""SE(3) × S_n on point clouds of simple solids: invariant codes, beside classical ones.

A cloud is 48 random points of the surface of a box, an ellipsoid, a cylinder, a cone, a torus or a
tetrahedron whose three sizes are drawn anew for each, moved by noise of 0.03 a coordinate, in any order and
any pose. A third of the clouds is for testing alone.

- `invariant`: the code is that of a network whose points are summed up, averaged over the frames of the
  cloud's principal axes (molae.nn.frames.FrameAverage): SE(3) × S_n leaves it as it is. The decoder tells the
  points in a pose and an order of its own; the group element g that moves them onto the cloud has one of the
  frames for its rotation, the centroid for its translation, and the permutation of the least distance;
- `set`: the same network on the cloud as it stands, so that only its order is divided out;
- `classical`: a perceptron on all coordinates as they come; the points are told in that order and pose;
- `quotient`: a code by the same perceptron, but the points are moved onto the cloud as those of `invariant`
  are, by that of its frames and that permutation which fit best.

All have a code of the same size and the same decoder, and see the clouds equally often, each time moved and
renumbered anew. `error` is the mean squared distance of the points of g · x̂ from those of x, for `classical`
with x̂ as it is, after the best assignment for all; `mean shape` is that of the centroid, to compare with.
`linear` and `knn` are the accuracies of logistic regression and of the 5 nearest neighbours on the codes of
unseen clouds, and `gap` is how far codes are from invariant.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch
from report import parser, publish
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from molae.groups import DirectProduct, ProductElement, RigidMotion, SpecialEuclidean, SymmetricGroup
from molae.nn.frames import FrameAverage, find_frames
from molae.nn.mlp import residual_mlp
from molae.ops import assign
from molae.testing import equivariance_gap

POINTS = 48
MOTIONS = SpecialEuclidean(3)
GROUP = DirectProduct(MOTIONS, SymmetricGroup(POINTS))


def sphere(count: int) -> Tensor:
    return nn.functional.normalize(torch.randn(count, POINTS, 3), dim=2)


def box(count: int) -> Tensor:
    """A coordinate of each point is at an end."""
    inside = 2 * torch.rand(count, POINTS, 3) - 1
    axis = torch.randint(3, (count, POINTS, 1))
    return inside.scatter(2, axis, inside.gather(2, axis).sign())


def cylinder(count: int) -> Tensor:
    """A third of the surface is lids, as for a height of twice the radius."""
    lid = torch.rand(count, POINTS) < 1 / 3
    radius = torch.where(lid, torch.rand(count, POINTS).sqrt(), 1.0)
    height = 2 * torch.rand(count, POINTS) - 1
    return _turned(radius, torch.where(lid, height.sign(), height))


def cone(count: int) -> Tensor:
    base = torch.rand(count, POINTS) < 1 / 3
    radius = torch.rand(count, POINTS).sqrt()
    return _turned(radius, torch.where(base, -1.0, 1 - 2 * radius))


def torus(count: int) -> Tensor:
    angle = 2 * math.pi * torch.rand(count, POINTS)
    return _turned(1 + 0.4 * angle.cos(), 0.4 * angle.sin())


def tetrahedron(count: int) -> Tensor:
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    # Uniform on a triangle: three exponential numbers as shares of their sum, of three of the corners.
    shares = torch.rand(count, POINTS, 4).log().neg()
    shares = shares.scatter(2, torch.randint(4, (count, POINTS, 1)), 0.0)
    return (shares / shares.sum(2, keepdim=True)) @ corners


def _turned(radius: Tensor, height: Tensor) -> Tensor:
    """Points at random angles about an axis."""
    angle = 2 * math.pi * torch.rand(radius.shape)
    return torch.stack([radius * angle.cos(), radius * angle.sin(), height], 2)


SOLIDS: dict[str, Callable[[int], Tensor]] = {
    "box": box,
    "ellipsoid": sphere,
    "cylinder": cylinder,
    "cone": cone,
    "torus": torus,
    "tetrahedron": tetrahedron,
}


def draw(each: int, noise: float) -> tuple[Tensor, Tensor]:
    """Clouds (b 48 3), moved and renumbered, and their classes (b), as many of each solid."""
    clouds, classes = upright(each, noise)
    return present(clouds), classes


def upright(each: int, noise: float) -> tuple[Tensor, Tensor]:
    """The same in the poses of their definitions."""
    clouds = torch.cat([solid(each) for solid in SOLIDS.values()])
    clouds = clouds * (0.6 + 0.8 * torch.rand(len(clouds), 1, 3))
    classes = torch.arange(len(SOLIDS)).repeat_interleave(each)
    return clouds + noise * torch.randn_like(clouds), classes


def present(clouds: Tensor) -> Tensor:
    """The clouds moved and renumbered at random."""
    return GROUP.act(GROUP.sample(len(clouds)), clouds)


class SumOfPoints(nn.Module):
    """A network that no order of the points changes."""

    def __init__(self, width: int, code_size: int) -> None:
        super().__init__()
        self.points = nn.Sequential(
            nn.Linear(3, width),
            nn.GELU(),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )
        self.head = residual_mlp(2 * width, width, 1, code_size)

    def forward(self, x: Tensor) -> Tensor:
        points = self.points(x)
        return self.head(torch.cat([points.mean(1), points.amax(1)], 1))


class Solids(nn.Module):
    """What all autoencoders here have: a decoder of codes, and points that are compared by assignment."""

    def __init__(self, width: int, code_size: int) -> None:
        super().__init__()
        self.decoder = residual_mlp(code_size, 2 * width, 2, 3 * POINTS)

    def decode(self, code: Tensor) -> Tensor:
        """Points in canonical pose and order (b 48 3)."""
        return self.decoder(code).unflatten(1, (POINTS, 3))

    def motion(self, x: Tensor, decoded: Tensor) -> RigidMotion:
        """The part of g that moves; here there is only the place."""
        return MOTIONS.identity(len(x))._replace(translation=x.mean(1))

    def reconstruct(self, x: Tensor) -> tuple[Tensor, ProductElement]:
        """Decoded points in canonical pose and order, and the g that moves them onto the clouds."""
        decoded = self.decode(self.code(x))
        motion = self.motion(x, decoded)
        return decoded, ProductElement(motion, matched(x, MOTIONS.act(motion, decoded)))

    def forward(self, x: Tensor) -> Tensor:
        decoded, element = self.reconstruct(x)
        return GROUP.act(element, decoded)


class OrderFree(Solids):
    def __init__(self, width: int, code_size: int) -> None:
        super().__init__(width, code_size)
        self.encoder = SumOfPoints(width, code_size)

    def code(self, x: Tensor) -> Tensor:
        return self.encoder(x - x.mean(1, keepdim=True))


class Invariant(Solids):
    def __init__(self, width: int, code_size: int) -> None:
        super().__init__(width, code_size)
        self.encoder = FrameAverage(SumOfPoints(width, code_size), MOTIONS)

    def code(self, x: Tensor) -> Tensor:
        return self.encoder(x).output

    @torch.no_grad()
    def motion(self, x: Tensor, decoded: Tensor) -> RigidMotion:
        """Of the frames of each cloud that in which decoded points lie nearest to it."""
        place = x.mean(1)
        centred = x - place.unsqueeze(1)
        frames = find_frames(centred, proper=True)
        away = torch.cdist(centred[frames.cloud] @ frames.rotation, decoded[frames.cloud])
        cost = away.amin(1).square().mean(1) + away.amin(2).square().mean(1)
        least = torch.full((len(x),), math.inf).scatter_reduce(0, frames.cloud, cost, "amin")
        rotation = torch.empty(len(x), 3, 3)
        chosen = cost == least[frames.cloud]
        rotation[frames.cloud[chosen]] = frames.rotation[chosen]
        return RigidMotion(rotation, place)


class Classical(Solids):
    """Coordinates in, coordinates out."""

    def __init__(self, width: int, code_size: int) -> None:
        super().__init__(width, code_size)
        self.encoder = residual_mlp(3 * POINTS, 2 * width, 2, code_size)

    def code(self, x: Tensor) -> Tensor:
        return self.encoder((x - x.mean(1, keepdim=True)).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return MOTIONS.act(self.motion(x, x), self.decode(self.code(x)))


class Quotient(Classical):
    """Likewise, but its points are moved and renumbered as fits the cloud best before they are compared."""

    motion, forward = Invariant.motion, Solids.forward


MODELS = {"invariant": Invariant, "set": OrderFree, "classical": Classical, "quotient": Quotient}


@torch.no_grad()
def matched(x: Tensor, other: Tensor) -> Tensor:
    """For each point of x which of the other points (b n) is its partner, at the least total distance."""
    scores = -torch.cdist(x, other).square()
    return assign(scores, torch.ones(x.shape[:2], dtype=torch.bool))


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(arguments.seed)
    train, test = (draw(each, arguments.noise) for each in (arguments.train, arguments.train // 2))
    rows = []
    for name in arguments.models:
        torch.manual_seed(arguments.seed)
        start = time.process_time()
        model = MODELS[name](arguments.width, arguments.code_size)
        fit(model, train[0], arguments)
        seconds = round(time.process_time() - start)
        rows.append({"model": name, **measure(model, train, test), "cpu_s": seconds})
    centred = test[0] - test[0].mean(1, keepdim=True)
    publish(rows, arguments, mean_shape=float(centred.square().sum(2).mean()))
    print(f"mean shape: {float(centred.square().sum(2).mean()):.4g}")


def fit(model: Solids, clouds: Tensor, arguments: argparse.Namespace) -> None:
    """Trains a model on the squared error of its points."""
    rate, steps = arguments.learning_rate, arguments.steps
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    for _ in range(steps):
        x = present(clouds[torch.randint(len(clouds), (arguments.batch_size,))])
        optimizer.zero_grad()
        (model(x) - x).square().mean().backward()
        optimizer.step()
        schedule.step()
    model.eval()


@torch.no_grad()
def measure(
    model: Solids, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]
) -> dict[str, float | int]:
    """Figures of a trained model."""
    told = model(test[0])
    told = GROUP.second.act(matched(test[0], told), told)
    known, unseen = model.code(train[0]).numpy(), model.code(test[0]).numpy()
    figures: dict[str, float | int] = {"error": float((told - test[0]).square().sum(2).mean())}
    for name, classifier in (
        ("linear", LogisticRegression(max_iter=2000)),
        ("knn", KNeighborsClassifier(5)),
    ):
        fitted = make_pipeline(StandardScaler(), classifier).fit(known, train[1].numpy())
        figures[name] = float(fitted.score(unseen, test[1].numpy()))
    gap = equivariance_gap(model.code, GROUP, test[0], generator=torch.Generator().manual_seed(0))
    return {
        **figures,
        "gap": float(gap.median()),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    made.add_argument("--train", type=int, default=500, help="clouds of each solid to train on")
    made.add_argument("--noise", type=float, default=0.03)
    made.add_argument("--code-size", type=int, default=16)
    made.add_argument("--width", type=int, default=64)
    made.add_argument("--steps", type=int, default=1500)
    made.add_argument("--batch-size", type=int, default=64)
    made.add_argument("--learning-rate", type=float, default=2e-3)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
