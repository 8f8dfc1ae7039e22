"""S_n on sets: exact reconstruction of multisets of digits from an invariant code, in sizes never trained on.

A set is n digits 0 to 9 in any order, repeats included, each a one-hot row (the experiment of Winter et al.
2022, arXiv:2202.07559). `invariant` sorts the elements, and the permutation that does so is its group element
g; the code is the sum of learned embeddings; and the decoder, which sees the code alone, learns to tell how
many of each digit there are, whose sorted sequence is x̂. Sets of 1 to 20 elements train it. Both ends are
linear, so that a larger set is no other task: it asks for more precision only.

`classical` is an autoencoder with a code of the same size and far more parameters that reads the digits in
the order in which they come and tells all at once, trained on as many sets of exactly 20; other sizes do not
fit it.

`exact` is the share of sets whose digits come back equally often each, `ordered` of those that g · x̂ gives
back element by element. Test sets have uniform digits, or two kinds of digits only (`skewed`).
"""

from __future__ import annotations

import argparse
import time

import torch
from report import parser, publish
from torch import Tensor, nn

from molae.groups import SymmetricGroup
from molae.nn.canonical import Canonicalised
from molae.nn.mlp import residual_mlp

DIGITS, TRAINED = 10, 20


class SumOfEmbeddings(nn.Module):
    """Codes of sets, and a decoder of them.

    Args:
        code_size: Channels of the code, at least as many as there are digits.
    """

    def __init__(self, code_size: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(DIGITS, code_size, bias=False)
        self.counts = nn.Linear(code_size, DIGITS)
        nn.init.normal_(self.embedding.weight, std=code_size**-0.5)

    def forward(self, sets: Tensor) -> Tensor:
        """Codes (b d) of one-hot sets (b n 10)."""
        return self.embedding(sets).sum(1)

    def loss(self, sets: Tensor) -> Tensor:
        """Squared error of the counts."""
        return (self.counts(self(sets)) - sets.sum(1)).square().mean()

    def decode(self, code: Tensor, slots: int) -> Tensor:
        """Digits in canonical order (b slots), -1 after the last one."""
        ends = self.counts(code).round().clamp(min=0).cumsum(1)
        digits = (ends.unsqueeze(2) <= torch.arange(slots)).sum(1)
        return digits.masked_fill(digits == DIGITS, -1)


class Classical(nn.Module):
    """Tells all of a set at once, in the order in which it came."""

    def __init__(self, code_size: int, width: int) -> None:
        super().__init__()
        self.encoder = residual_mlp(TRAINED * DIGITS, width, 2, code_size)
        self.decoder = residual_mlp(code_size, width, 2, TRAINED * DIGITS)

    def forward(self, sets: Tensor) -> Tensor:
        """Scores of the digits (b n 10)."""
        return self.decoder(self.encoder(sets.flatten(1))).unflatten(1, (TRAINED, DIGITS))

    def loss(self, sets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self(sets).mT, sets.argmax(2))


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    rows, start = [], time.process_time()
    model = SumOfEmbeddings(arguments.code_size)
    fit(model, lambda: trained_sets(arguments.batch_size), arguments)
    seconds = round(time.process_time() - start)
    for name, size, kinds in (*(("uniform", n, DIGITS) for n in arguments.sizes), ("skewed", TRAINED, 2)):
        figures = invariant_figures(model, uniform_sets(arguments.test, size, kinds))
        rows.append({"model": "invariant", "sets": name, "n": size, **figures, **_facts(model, seconds)})
    start = time.process_time()
    classical = Classical(arguments.code_size, arguments.width)
    fit(classical, lambda: one_hot(uniform_sets(arguments.batch_size, TRAINED)), arguments)
    seconds = round(time.process_time() - start)
    figures = classical_figures(classical, uniform_sets(arguments.test, TRAINED))
    rows.append(
        {"model": "classical", "sets": "uniform", "n": TRAINED, **figures, **_facts(classical, seconds)}
    )
    publish(rows, arguments)


def uniform_sets(count: int, size: int, kinds: int = DIGITS) -> Tensor:
    """Random digits (b n), of as many kinds as told, other ones for each set."""
    chosen = torch.rand(count, DIGITS).argsort(1)
    return chosen.gather(1, torch.randint(kinds, (count, size)))


def trained_sets(count: int) -> Tensor:
    """One-hot sets (b n 10) of 1 to 20 elements, followed by zeros, some of few kinds of digits."""
    kinds = torch.randint(1, DIGITS + 1, (count, 1))
    picks = (torch.rand(count, TRAINED) * kinds).long()
    digits = torch.rand(count, DIGITS).argsort(1).gather(1, picks)
    size = torch.randint(1, TRAINED + 1, (count, 1))
    return one_hot(digits.masked_fill(torch.arange(TRAINED) >= size, -1))


def fit(model: nn.Module, draw, arguments: argparse.Namespace) -> None:
    """Trains a model on new sets at every step."""
    rate, steps = arguments.learning_rate, arguments.steps
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(draw()).backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def invariant_figures(model: SumOfEmbeddings, digits: Tensor) -> dict[str, float]:
    """Shares of exact sets, and the largest change of a code when a set is renumbered."""
    count, size = digits.shape
    group = SymmetricGroup(size)
    encoder = Canonicalised(model, group, lambda sets: sets.argmax(2).argsort(dim=1).argsort(dim=1))
    code, action = encoder(one_hot(digits))
    # One slot more than there are elements: the decoder must stop by itself.
    told = model.decode(code, size + 1)
    exact = (told[:, :size] == digits.sort(1).values).all(1) & (told[:, size] == -1)
    renumbered = encoder(one_hot(group.act(group.sample(count), digits))).output
    return {
        "exact": float(exact.float().mean()),
        "ordered": float((group.act(action, told[:, :size]) == digits).all(1).float().mean()),
        "code_change": float((renumbered - code).abs().max()),
    }


@torch.no_grad()
def classical_figures(model: Classical, digits: Tensor) -> dict[str, float]:
    """The same for the autoencoder that tells all at once."""
    sets = one_hot(digits)
    told = model(sets).argmax(2)
    renumbered = model.encoder(sets[:, torch.randperm(TRAINED)].flatten(1))
    return {
        "exact": float((told.sort(1).values == digits.sort(1).values).all(1).float().mean()),
        "ordered": float((told == digits).all(1).float().mean()),
        "code_change": float((renumbered - model.encoder(sets.flatten(1))).abs().max()),
    }


def one_hot(digits: Tensor) -> Tensor:
    """Rows of the digits (*b 10), 0 for -1."""
    return (digits.unsqueeze(-1) == torch.arange(DIGITS)).float()


def _facts(model: nn.Module, seconds: int) -> dict[str, int]:
    return {"parameters": sum(p.numel() for p in model.parameters()), "cpu_s": seconds}


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument(
        "--sizes", type=int, nargs="+", default=[TRAINED, 50, 100], help="elements of test sets"
    )
    made.add_argument("--test", type=int, default=10_000, help="test sets of each kind")
    made.add_argument("--code-size", type=int, default=16)
    made.add_argument("--width", type=int, default=128, help="of the classical autoencoder")
    made.add_argument("--steps", type=int, default=1500)
    made.add_argument("--batch-size", type=int, default=128)
    made.add_argument("--learning-rate", type=float, default=1e-2)
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
