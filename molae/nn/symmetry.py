"""A symmetry that nobody named, found in pairs of codes: the generator of a one-parameter Lie group.

If pairs of data differ by a transformation of one kind and of unknown amounts, and z, z' are their codes, the
generator A and the amounts t are those for which exp(t A) (z - c) + c comes closest to z'; c is the centre.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from molae.errors import DataError


class Symmetry(NamedTuple):
    """A one-parameter group that acts on codes.

    Attributes:
        generator: A, of the Frobenius norm √2 where codes are scaled to the covariance 1: the amount of a
            rotation in a plane, on a circle or an ellipse, is its angle.
        centre: Code that stays where it is.
        amount: t of each pair that it was found from; its sign, with that of A, is arbitrary.
        error: Squared distance of moved codes from their partners, as a share of that of codes from their
            partners: 0 if all pairs are of the group, 1 if it explains nothing.
    """

    generator: Float[Tensor, "d d"]
    centre: Float[Tensor, " d"]
    amount: Float[Tensor, " b"]
    error: float

    def move(self, codes: Float[Tensor, "b d"], amount: Float[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Moves codes by the amounts given."""
        return exponential(self.generator, codes - self.centre, amount) + self.centre


def find_symmetry(
    before: Float[Tensor, "b d"], after: Float[Tensor, "b d"], compact: bool = True, rounds: int = 100
) -> Symmetry:
    """Finds the generator that carries each code to its partner, by whatever amount.

    It starts from the matrix that the products of differences and codes have most in common, and minimises
    the squared distances over generators and centres by the method of Broyden, Fletcher, Goldfarb and
    Shanno, with the best amounts for each. Amounts of more than about a quarter of a turn may be found in the
    wrong turn.

    Args:
        before: Codes z.
        after: Codes z' of their partners.
        compact: Whether codes are to come back after some amount, or at least stay bounded, as under
            rotations: A is then antisymmetric where codes are scaled to the covariance 1.
        rounds: Most iterations.
    Returns:
        The symmetry, in float64.
    Raises:
        DataError: If codes do not span all their channels, or all pairs are alike.

    Example:
        >>> angle, turn = torch.linspace(0, 6, 50), torch.linspace(-0.5, 0.5, 50)
        >>> circle = lambda a: torch.stack([3 * a.cos(), a.sin()], 1)
        >>> found = find_symmetry(circle(angle), circle(angle + turn), compact=False)
        >>> found.error < 1e-6, bool((found.amount.abs() - turn.abs()).abs().max() < 0.05)
        (True, True)
    """
    before, after = before.detach().double(), after.detach().double()
    if not bool((before != after).any()):
        raise DataError("the two codes of each pair are the same: there is nothing to find")
    mean, whiten, back = _whitening(torch.cat([before, after]))
    # In coordinates of unit variance, where an elliptic orbit is round.
    generator, centre = _fit((before - mean) @ whiten, (after - mean) @ whiten, compact, rounds)
    generator, centre = back.T @ generator @ whiten.T, centre @ back + mean
    amount = best_amounts(generator, before - centre, after - centre)
    left = (exponential(generator, before - centre, amount) + centre - after).square().sum()
    return Symmetry(generator, centre, amount, float(left / (after - before).square().sum()))


def exponential(
    generator: Float[Tensor, "d d"], codes: Float[Tensor, "b d"], amount: Float[Tensor, " b"]
) -> Float[Tensor, "b d"]:
    """Gives exp(t A) z for each code z and its amount t."""
    return (torch.linalg.matrix_exp(amount[:, None, None] * generator) @ codes.unsqueeze(2)).squeeze(2)


@torch.no_grad()
def best_amounts(
    generator: Float[Tensor, "d d"],
    before: Float[Tensor, "b d"],
    after: Float[Tensor, "b d"],
    rounds: int = 6,
) -> Float[Tensor, " b"]:
    """Finds the amount by which the generator brings each code nearest to its partner, by Gauss-Newton.

    Where a distance is trained with these amounts, its gradient is right although they have none: at the best
    amount the distance does not depend on it.
    """
    amount = torch.zeros_like(before[:, 0])
    for _ in range(rounds):
        moved = exponential(generator, before, amount)
        slope = moved @ generator.T
        step = (slope * (after - moved)).sum(1) / slope.square().sum(1).clamp(min=1e-12)
        amount = amount + step.clamp(-1.0, 1.0)
    return amount


def _whitening(
    codes: Float[Tensor, "b d"],
) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"], Float[Tensor, "d d"]]:
    """Mean of codes, the matrix that brings their covariance to 1, and the one that undoes it."""
    mean = codes.mean(0)
    variance, axes = torch.linalg.eigh((codes - mean).T @ (codes - mean) / len(codes))
    if variance[0] <= 1e-12 * variance[-1]:
        raise DataError("codes must span all their channels: project them to fewer by principal components")
    return mean, axes / variance.sqrt(), (axes * variance.sqrt()).T


def _common(before: Float[Tensor, "b d"], after: Float[Tensor, "b d"]) -> Float[Tensor, "d d"]:
    """What the matrices (z' - z) zᵀ, which are near t A z zᵀ, have most in common, whatever their signs."""
    size = before.shape[1]
    products = ((after - before).unsqueeze(2) * before.unsqueeze(1)).flatten(1)
    return torch.linalg.eigh(products.T @ products).eigenvectors[:, -1].reshape(size, size)


def _fit(
    before: Float[Tensor, "b d"], after: Float[Tensor, "b d"], compact: bool, rounds: int
) -> tuple[Float[Tensor, "d d"], Float[Tensor, " d"]]:
    """Minimises the mean squared distance over generators and centres."""
    free = _common(before, after).requires_grad_()
    centre = torch.zeros_like(before[0]).requires_grad_()
    optimizer = torch.optim.LBFGS([free, centre], max_iter=rounds, line_search_fn="strong_wolfe")

    def generator() -> Tensor:
        matrix = free - free.T if compact else free
        return matrix * (2**0.5 / matrix.norm())

    def distance() -> Tensor:
        optimizer.zero_grad()
        first, second = before - centre, after - centre
        amount = best_amounts(generator().detach(), first.detach(), second.detach())
        loss = (exponential(generator(), first, amount) - second).square().mean()
        loss.backward()
        return loss

    # It is fitted by its gradient where the caller keeps none, too.
    with torch.enable_grad():
        optimizer.step(distance)
    return generator().detach(), centre.detach()
