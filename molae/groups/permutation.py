"""Renumbering of nodes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from molae.groups.base import Group


def take_nodes(values: Shaped[Tensor, "b m *d"], index: Int[Tensor, "b m"]) -> Shaped[Tensor, "b m *d"]:
    """Takes `values[b, index[b, i]]` as row `i`.

    Example:
        >>> take_nodes(torch.tensor([[10, 20, 30]]), torch.tensor([[2, 0, 1]]))
        tensor([[30, 10, 20]])
    """
    return values.gather(1, index.reshape(*index.shape, *[1] * (values.ndim - 2)).expand_as(values))


def take_pairs(values: Shaped[Tensor, "b m m *d"], index: Int[Tensor, "b m"]) -> Shaped[Tensor, "b m m *d"]:
    """Takes `values[b, index[b, i], index[b, j]]` as the value of the pair (i, j)."""
    return take_nodes(take_nodes(values, index).transpose(1, 2), index).transpose(1, 2)


def inverse_index(index: Int[Tensor, "b m"]) -> Int[Tensor, "b m"]:
    """Inverts permutations.

    Args:
        index: Where each node takes its value from.
    Returns:
        Where each node's value goes to: `inverse_index(p)[b, p[b, i]] == i`.
    """
    return index.argsort(dim=1)


@dataclass(frozen=True)
class SymmetricGroup(Group[Int[Tensor, "b m"]]):
    """Permutations of `degree` nodes, as the index that each node takes its value from.

    Attributes:
        degree: Number of nodes m, padding included.

    Example:
        >>> group = SymmetricGroup(3)
        >>> group.act(torch.tensor([[1, 2, 0]]), torch.tensor([[5.0, 6.0, 7.0]]))
        tensor([[6., 7., 5.]])
    """

    degree: int

    def identity(
        self, batch_size: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Int[Tensor, "b m"]:
        """Gives the order as it is; `dtype` is not used, as an index has no real numbers."""
        return torch.arange(self.degree, device=device).repeat(batch_size, 1)

    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Int[Tensor, "b m"]:
        """Draws uniform permutations; `dtype` is not used, as an index has no real numbers."""
        # In double precision equal draws, which would favour some orders, do not occur in practice.
        draws = torch.rand(batch_size, self.degree, generator=generator, dtype=torch.float64, device=device)
        return draws.argsort(dim=1)

    def compose(self, a: Int[Tensor, "b m"], b: Int[Tensor, "b m"]) -> Int[Tensor, "b m"]:
        """Gives the permutation that acts as `b` and then `a`: node i takes from b[a[i]]."""
        return b.gather(1, a)

    def inverse(self, a: Int[Tensor, "b m"]) -> Int[Tensor, "b m"]:
        """Gives the permutation that undoes `a`."""
        return inverse_index(a)

    def act(self, a: Int[Tensor, "b m"], x: Shaped[Tensor, "b m *d"]) -> Shaped[Tensor, "b m *d"]:
        """Renumbers node values: (a x)_i = x_{a_i}."""
        return take_nodes(x, a)

    def act_matrix(self, a: Int[Tensor, "b m"], x: Shaped[Tensor, "b m m *d"]) -> Shaped[Tensor, "b m m *d"]:
        """Renumbers edge values at both ends: (a x)_ij = x_{a_i a_j}."""
        return take_nodes(take_nodes(x, a).transpose(1, 2), a).transpose(1, 2)

    def contains(self, a: Int[Tensor, "b m"], tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells whether every node occurs exactly once; indices are exact, so `tolerance` is not used."""
        if a.shape[1] != self.degree:
            return torch.zeros(len(a), dtype=torch.bool, device=a.device)
        return (a.sort(dim=1).values == torch.arange(self.degree, device=a.device)).all(dim=1)
