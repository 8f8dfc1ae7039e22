"""Rotations about the origin, with and without reflections."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molae.groups.base import Group


@dataclass(frozen=True)
class Orthogonal(Group[Float[Tensor, "b k k"]]):
    """Rotations and reflections O(k), as matrices that act on row vectors by `x @ R.T`.

    Attributes:
        dimension: Number of dimensions k of the space.
    """

    dimension: int = 3

    def identity(
        self, batch_size: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "b k k"]:
        """Gives unit matrices."""
        return torch.eye(self.dimension, dtype=dtype, device=device).repeat(batch_size, 1, 1)

    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Float[Tensor, "b k k"]:
        """Draws uniform matrices by QR of normal ones (Mezzadri 2007, arXiv:math-ph/0609050)."""
        shape = (batch_size, self.dimension, self.dimension)
        q, r = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=dtype, device=device))
        # Without these signs the result would not be uniform, as QR fixes the sign of r's diagonal.
        signs = r.diagonal(dim1=1, dim2=2) < 0
        return torch.where(signs.unsqueeze(1), -q, q)

    def compose(self, a: Float[Tensor, "b k k"], b: Float[Tensor, "b k k"]) -> Float[Tensor, "b k k"]:
        """Gives the matrix that acts as `b` and then `a`."""
        return a @ b

    def inverse(self, a: Float[Tensor, "b k k"]) -> Float[Tensor, "b k k"]:
        """Gives the transpose, which undoes `a`."""
        return a.mT

    def act(self, a: Float[Tensor, "b k k"], x: Float[Tensor, "b m k"]) -> Float[Tensor, "b m k"]:
        """Turns each row: x Rᵀ."""
        return x @ a.mT

    def contains(self, a: Float[Tensor, "b k k"], tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells whether `a aᵀ` is the unit matrix to `tolerance`."""
        unit = torch.eye(self.dimension, dtype=a.dtype, device=a.device)
        return ((a @ a.mT - unit).abs() <= tolerance).all(dim=(1, 2))


@dataclass(frozen=True)
class SpecialOrthogonal(Orthogonal):
    """Rotations SO(k) without reflections, as matrices of determinant +1.

    Example:
        >>> group = SpecialOrthogonal(3)
        >>> bool(group.contains(group.sample(1), tolerance=1e-5))
        True
        >>> bool(group.contains(-group.identity(1)))
        False
    """

    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Float[Tensor, "b k k"]:
        """Draws uniform rotations: those of O(k), with one axis turned where they reflect."""
        q = super().sample(batch_size, generator=generator, dtype=dtype, device=device)
        turned = torch.cat([-q[:, :, :1], q[:, :, 1:]], dim=2)
        return torch.where((torch.linalg.det(q) < 0)[:, None, None], turned, q)

    def contains(self, a: Float[Tensor, "b k k"], tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells whether `a` is orthogonal to `tolerance` and does not reflect."""
        return super().contains(a, tolerance) & (torch.linalg.det(a) > 0)
