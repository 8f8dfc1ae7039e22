"""SE(3) × S_4 on the eight Tetris shapes: reconstruction from a small code, nodes without identity.

Every presentation of a shape has its own normal noise (0.01 Å a coordinate), rotation, translation and
numbering, and all nodes are alike. The error is that of GIAE (Winter et al. 2022, arXiv:2202.07559; its
code): the mean over coordinates of (g · x̂ - x)², with the noisy points as input and as target, g the model's
own action; GIAE's inputs name the nodes, and its published figure is 3.2e-5, with a code of two numbers.

What can be expected: of the 12 coordinates of the noise σ², 6 are taken up by the pose. A code of two numbers
that depends smoothly on the points takes up 2 of the other 6, which leaves 4/12 σ² = 3.3e-5; whoever is below
that folds several dimensions of the noise into one number of the code, or orders the nodes of symmetric
shapes by their noise. A code of six numbers or more has room for all of the noise; what is left there is what
the networks cannot fit in the time. Compare them by `--code-sizes 2 4 6 8`.

Beside molae's `invariant` code there are, with codes of the same size, the same widths, data and steps:

- `classical`: a perceptron on the coordinates as they come; what it tells is compared as it is;
- `quotient`: likewise, but compared after the best of all renumberings and proper rigid motions;
- `norm-pooled`: likewise, and the perceptron reads the sum over the points of the scalars of an equivariant
  network, which are invariant; they are the same for mirror images, so that it cannot tell these apart.

The best motion knows the noisy points, and takes up at least the 6 coordinates that a pose does.

The column `clean` has the error on the shapes without noise, for the same weights: what the code says of the
shape itself. Needs torch 2.9 or newer, for its Muon.
"""

from __future__ import annotations

import argparse
import copy
import time
from itertools import permutations, product

import numpy as np
import torch
from frame_averaging import Trunk
from report import parser, publish
from torch import Tensor, nn

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.collate import collate
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.chem.featurise import ordered
from molae.groups import SpecialEuclidean, SymmetricGroup
from molae.loss.reconstruction import LossConfig
from molae.nn.mlp import residual_mlp
from molae.ops import superposed_deviation
from molae.testing.shapes import TETRIS
from molae.training.average import AveragedWeights

SCHEMA = Schema(node_channels=(("point", 1),), edge_types=1, max_nodes=4)
MOTIONS = SpecialEuclidean(3, spread=5.0)
#: An error of 0.01 Å squared is tiny beside the other terms of the loss, which are 0 here.
WEIGHT = 1e4


class Classical(nn.Module):
    """Coordinates in, coordinates out.

    Args:
        code_size: Channels of the code.
        width: Channels of both perceptrons.
        depth: Residual blocks of each.
    """

    def __init__(self, code_size: int, width: int, depth: int) -> None:
        super().__init__()
        self.reader = residual_mlp(12, width, depth, code_size)
        self.teller = residual_mlp(code_size, width, depth, 12)

    def code(self, pos: Tensor) -> Tensor:
        return self.reader((pos - pos.mean(1, keepdim=True)).flatten(1))

    def deviations(self, pos: Tensor) -> Tensor:
        """Mean squared error of a coordinate, for each shape."""
        told = self.teller(self.code(pos)).unflatten(1, (4, 3))
        return self.compare(told, pos - pos.mean(1, keepdim=True))

    def compare(self, told: Tensor, pos: Tensor) -> Tensor:
        return (told - pos).square().mean((1, 2))

    def loss(self, batch: DenseBatch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": WEIGHT * self.deviations(_positions(batch)).mean()}


class Quotient(Classical):
    """Compared after the best motion and renumbering."""

    def compare(self, told: Tensor, pos: Tensor) -> Tensor:
        # In float64, since small deviations are differences of large numbers.
        told, pos = told.double(), pos.double()
        order, mask = torch.tensor(list(permutations(range(4)))), torch.ones(len(pos), 4, dtype=torch.bool)
        tried, rows = pos[:, order], len(order)
        with torch.no_grad():
            away = superposed_deviation(
                told.repeat_interleave(rows, 0), tried.flatten(0, 1), mask.repeat_interleave(rows, 0)
            )
        best = away.unflatten(0, (-1, rows)).argmin(1)
        return superposed_deviation(told, tried[torch.arange(len(pos)), best], mask) / 3


class NormPooled(Quotient):
    """Reads what no motion, renumbering or reflection changes."""

    def __init__(self, code_size: int, width: int, depth: int) -> None:
        super().__init__(code_size, width, depth)
        self.trunk = Trunk(width)
        self.reader = residual_mlp(width, width, depth, code_size)

    def code(self, pos: Tensor) -> Tensor:
        return self.reader(self.trunk(pos))


Model = Autoencoder | Classical
BASELINES = {"classical": Classical, "quotient": Quotient, "norm-pooled": NormPooled}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    random = np.random.default_rng(arguments.seed)
    pool = order(points(np.arange(arguments.pool) % len(TETRIS), arguments.noise, random))
    shapes = np.repeat(np.arange(len(TETRIS)), arguments.test)
    test = points(shapes, arguments.noise, random)
    batches = {
        "mse": order(present(test, random)),
        "clean": order(present(points(shapes, 0.0, random), random)),
    }
    some, rows = test[:: max(1, len(test) // 1000)], []
    for kind, size in product(arguments.models, arguments.code_sizes):
        torch.manual_seed(arguments.seed)
        start = time.process_time()
        model = fit(pool, build(kind, size, arguments), arguments)
        told = {"model": kind, "code": size}
        facts = {"parameters": sum(p.numel() for p in model.parameters())}
        facts["cpu_s"] = round(time.process_time() - start)
        found = {name: errors(model, batch) for name, batch in batches.items()}
        rows += [{**told, "shape": name, **_means(found, shapes == k)} for k, name in enumerate(TETRIS)]
        rows.append({**told, "shape": "all", **_means(found), **facts, **invariance(model, some, random)})
    publish(rows, arguments)


def _means(errors: dict[str, Tensor], pick: np.ndarray | slice = slice(None)) -> dict[str, float]:
    return {name: float(each[pick].mean()) for name, each in errors.items()}


def points(shapes: np.ndarray, noise: float, random: np.random.Generator) -> np.ndarray:
    """Positions (b 4 3), in Å, of noisy shapes: `shapes` says which each is."""
    corners = np.array(list(TETRIS.values()), dtype=float)[shapes]
    return corners + noise * random.standard_normal(corners.shape)


def present(pos: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The points (b 4 3) in random order, turned and moved at random."""
    numbering = random.random(pos.shape[:2]).argsort(1)
    motion = MOTIONS.sample(
        len(pos), generator=torch.Generator().manual_seed(int(random.integers(2**31))), dtype=torch.float64
    )
    shuffled = np.take_along_axis(pos, numbering[:, :, None], axis=1)
    return MOTIONS.act(motion, torch.from_numpy(shuffled)).numpy()


def order(pos: np.ndarray) -> DenseBatch:
    """A batch of points (b 4 3), numbered as they come, with the canonical orders that follow from them."""
    nodes, edges = np.zeros((4, 1), dtype=np.int64), np.zeros((4, 4), dtype=np.int64)
    return collate([ordered(nodes, edges, each) for each in pos], torch.float64)


def build(kind: str, code_size: int, arguments: argparse.Namespace) -> Model:
    """A model with new weights."""
    if kind == "invariant":
        return Autoencoder(_config(code_size, arguments), SCHEMA)
    return BASELINES[kind](code_size, arguments.head_width, arguments.head_depth)


def fit(pool: DenseBatch, model: Model, arguments: argparse.Namespace) -> Model:
    """Trains a model on random members of the pool, each renumbered and moved anew at each presentation."""
    optimizers, average = _optimizers(model, arguments.learning_rate), AveragedWeights(model, 0.99)
    for step in range(arguments.steps):
        share = min(1.0, (step + 1) / 100) * (1 - step / arguments.steps)
        terms = model.loss(_draw(pool, arguments.batch_size), torch.default_generator)
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = share * arguments.learning_rate
            optimizer.step()
            optimizer.zero_grad()
        average.update(step)
        if arguments.verbose and step % 250 == 249:
            mse = float(errors(average.model, _draw(pool, 1024)).mean())
            print(f"step {step + 1} of {arguments.steps}: mse {mse:.3e}", flush=True)
    return average.model


def _optimizers(model: Model, rate: float) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the weights of the heads, which must fit finely; AdamW for the others."""
    inside = ("encoder.gather", "encoder.head", "decoder.head", "decoder.spread", "reader", "teller")
    named = dict(model.named_parameters())
    fine = [n for n, p in named.items() if n.startswith(inside) and p.ndim == 2 and min(p.shape) > 2]
    others = [parameter for name, parameter in named.items() if name not in fine]
    matrices = [named[name] for name in fine]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _draw(pool: DenseBatch, count: int) -> DenseBatch:
    """Random members of the pool, in float32, each in a random pose and numbering."""
    pick = torch.randint(len(pool), (count,))
    drawn = DenseBatch(
        nodes=pool.nodes[pick],
        edges=pool.edges[pick],
        mask=pool.mask[pick],
        pos=MOTIONS.act(MOTIONS.sample(count, dtype=torch.float64), _positions(pool)[pick]),
        slot=pool.slot[pick],
        mirror_slot=pool.mirror_slot[pick],
        tie=pool.tie[pick],
    )
    return drawn.renumber(SymmetricGroup(4).sample(count)).to("cpu", torch.float32)


@torch.no_grad()
def errors(model: Model, batch: DenseBatch) -> Tensor:
    """Mean over the coordinates of (g · x̂ - x)², in Å², for each shape."""
    batch = batch.to("cpu", next(model.parameters()).dtype)
    if isinstance(model, Classical):
        return model.deviations(_positions(batch))
    return (reconstruct(model, batch)[1] - _positions(batch)).square().mean((1, 2))


@torch.no_grad()
def invariance(model: Model, pos: np.ndarray, random: np.random.Generator) -> dict[str, float]:
    """Largest change, in float64, of the code and of the errors when points are renumbered and moved."""
    model = copy.deepcopy(model).double()
    once, again = order(pos), order(present(pos, random))
    code = _code(model, once) - _code(model, again)
    change = errors(model, once) - errors(model, again)
    return {"code_change": float(code.abs().max()), "mse_change": float(change.abs().max())}


def _code(model: Model, batch: DenseBatch) -> Tensor:
    return model.code(_positions(batch)) if isinstance(model, Classical) else reconstruct(model, batch)[0]


def reconstruct(model: Autoencoder, batch: DenseBatch) -> tuple[Tensor, Tensor]:
    """Codes, and positions g · x̂ in the order and pose of the batch."""
    encoding, decoded, action = model.reconstruct(batch)
    if decoded.pos is None:
        raise ValueError("the decoder gave no positions")
    return encoding.invariant, action.positions(decoded.pos)


def _positions(batch: DenseBatch) -> Tensor:
    if batch.pos is None:
        raise ValueError("the shapes have positions")
    return batch.pos


def _config(code_size: int, arguments: argparse.Namespace) -> AutoencoderConfig:
    shared = {"name": "slots", "head_width": arguments.head_width, "head_depth": arguments.head_depth}
    # With a softening far above the errors the distance term is quadratic, so that it is the mean squared
    # error that is trained.
    return AutoencoderConfig(
        code_size=code_size,
        encoder=shared | {"odd_share": 0.5},
        decoder=shared,
        loss=LossConfig(position=WEIGHT, softening=1.0),
    )


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    names = ["invariant", *BASELINES]
    made.add_argument("--models", nargs="+", default=names, choices=names)
    made.add_argument("--code-sizes", type=int, nargs="+", default=[2], help="a model is trained for each")
    made.add_argument("--noise", type=float, default=0.01, help="standard deviation of a coordinate, in Å")
    made.add_argument("--pool", type=int, default=20_000, help="noisy shapes to train on")
    made.add_argument("--test", type=int, default=500, help="noisy shapes of each kind to test on")
    made.add_argument("--steps", type=int, default=3000)
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--learning-rate", type=float, default=2e-3)
    made.add_argument("--head-width", type=int, default=96)
    made.add_argument("--head-depth", type=int, default=4)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--verbose", action="store_true", help="show the progress of training")
    return made.parse_args()


if __name__ == "__main__":
    main()
