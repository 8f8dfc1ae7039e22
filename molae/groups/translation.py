"""Shifts in space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molae.groups.base import Group


@dataclass(frozen=True)
class Translations(Group[Float[Tensor, "b k"]]):
    """Translations of k-dimensional space, as shift vectors in Å.

    Attributes:
        dimension: Number of dimensions k of the space.
        spread: Standard deviation of sampled shifts, in Å; there is no uniform one, as space has no end.
    """

    dimension: int = 3
    spread: float = 1.0

    def identity(
        self, batch_size: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "b k"]:
        """Gives zero shifts."""
        return torch.zeros(batch_size, self.dimension, dtype=dtype, device=device)

    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Float[Tensor, "b k"]:
        """Draws normal shifts of standard deviation `spread`."""
        shape = (batch_size, self.dimension)
        return self.spread * torch.randn(shape, generator=generator, dtype=dtype, device=device)

    def compose(self, a: Float[Tensor, "b k"], b: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Gives the sum of both shifts."""
        return a + b

    def inverse(self, a: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Gives the opposite shift."""
        return -a

    def act(self, a: Float[Tensor, "b k"], x: Float[Tensor, "b m k"]) -> Float[Tensor, "b m k"]:
        """Shifts each row: x + t."""
        return x + a.unsqueeze(1)

    def contains(self, a: Float[Tensor, "b k"], tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells whether every component is finite; nothing is compared, so `tolerance` is not used."""
        return a.isfinite().all(dim=1)
