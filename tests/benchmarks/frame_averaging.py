"""How far networks on points are from invariant: a plain one, frame-averaged, and one equivariant by design.

All in float64, on random clouds of 8 points and on the corners of a cube moved by noise of a given size, down
to none, where principal axes are not determined and frames are those of pairs of points. A gap is the largest
of any cloud (`molae.testing.equivariance_gap`); `frames` is their mean number for a cloud, and `gap PCA` how
well the principal axes are determined, likewise. `trunk` is the EGNN-style part of molae's encoders.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable

import torch
from report import parser, publish
from torch import Tensor, nn

from molae.groups import Euclidean, Orthogonal, SpecialEuclidean, SpecialOrthogonal
from molae.nn.egnn import EquivariantLayer
from molae.nn.frames import FrameAverage, find_frames
from molae.testing import equivariance_gap

POINTS = 8
GROUPS = {
    "SO(3)": SpecialOrthogonal(3),
    "O(3)": Orthogonal(3),
    "SE(3)": SpecialEuclidean(3),
    "E(3)": Euclidean(3),
}


class Trunk(nn.Module):
    """Two rounds of messages between all points, and the sum of their scalars."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EquivariantLayer(width, 4, edge_types=1) for _ in range(2))
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        count, points = x.shape[:2]
        scalars, vectors = x.new_zeros(count, points, self.width), x.new_zeros(count, points, 4, 3)
        edges = torch.zeros(count, points, points, dtype=torch.int64)
        mask = torch.ones(count, points, dtype=torch.bool)
        for layer in self.layers:
            scalars, vectors = layer(scalars, vectors, x, edges, mask)
        return scalars.sum(1)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(arguments.seed)
    width = arguments.width
    plain = nn.Sequential(nn.Flatten(), nn.Linear(3 * POINTS, width), nn.Tanh(), nn.Linear(width, 16))
    networks = {"plain": plain, "trunk": Trunk(width)}
    networks |= {f"averaged over {name}": _output(FrameAverage(plain, g)) for name, g in GROUPS.items()}
    rows = []
    for cloud, x in clouds(arguments.count).items():
        frames = find_frames(x - x.mean(1, keepdim=True), proper=True)
        facts = {"frames": len(frames.cloud) / len(x), "gap PCA": float(frames.gap.mean())}
        for name, network in networks.items():
            rows.append({"clouds": cloud, **facts, "network": name, **gaps(network, x)})
    publish(rows, arguments)


def clouds(count: int) -> dict[str, Tensor]:
    """Clouds (b 8 3) by name."""
    cube = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)))
    noisy = {f"cube, noise {s:g}": cube + s * torch.randn(count, POINTS, 3) for s in (1e-1, 1e-3)}
    # Cubes of different sizes: outputs must not be the same for all.
    return {
        "random": torch.randn(count, POINTS, 3),
        **noisy,
        "cube, no noise": cube * torch.linspace(0.5, 2.0, count)[:, None, None],
    }


@torch.no_grad()
def gaps(network: Callable[[Tensor], Tensor], x: Tensor) -> dict[str, float]:
    """The largest gap under each group."""
    return {
        name: float(equivariance_gap(network, group, x, samples=4).max()) for name, group in GROUPS.items()
    }


def _output(model: FrameAverage) -> Callable[[Tensor], Tensor]:
    return lambda x: model(x).output


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--count", type=int, default=64, help="clouds of each kind")
    made.add_argument("--width", type=int, default=32)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
