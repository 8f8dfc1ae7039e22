"""Rotations of square images about their centre: by steps of a full turn, and by any angle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from molae.errors import ConfigError
from molae.groups.base import Group
from molae.groups.rotation import SpecialOrthogonal


@dataclass(frozen=True)
class CyclicRotations(Group[Int[Tensor, " b"]]):
    """The cyclic group C_n: anticlockwise turns of square images by k · 360° / n, as the integers k < n.

    Quarter turns only move pixels, so that the action is exact for n = 1, 2 and 4. Any other turn is a
    quarter turn and a rest of at most 45° that is interpolated (see `ImageRotations`), and the action of such
    an n is declared approximate; elements are composed and inverted exactly for every n.

    Attributes:
        order: Number n of elements.

    Raises:
        ConfigError: If the order is not positive.

    Example:
        >>> CyclicRotations(4).act(torch.tensor([1]), torch.tensor([[[1, 2], [3, 4]]]))
        tensor([[[2, 4],
                 [1, 3]]])
    """

    order: int = 4

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ConfigError(f"a cyclic group has 1 element or more, got the order {self.order}")

    @property
    def exact(self) -> bool:
        """Whether every element is a quarter turn or several."""
        return 4 % self.order == 0

    def identity(
        self, batch_size: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Int[Tensor, " b"]:
        """Gives turns by 0; `dtype` is not used, as the elements are integers."""
        return torch.zeros(batch_size, dtype=torch.int64, device=device)

    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Int[Tensor, " b"]:
        """Draws uniform turns; `dtype` is not used, as the elements are integers."""
        return torch.randint(self.order, (batch_size,), generator=generator, device=device)

    def compose(self, a: Int[Tensor, " b"], b: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """Gives the sum of both turns."""
        return (a + b) % self.order

    def inverse(self, a: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """Gives the turn that makes `a` a full one."""
        return -a % self.order

    def act(self, a: Int[Tensor, " b"], x: Shaped[Tensor, "b *c h h"]) -> Shaped[Tensor, "b *c h h"]:
        """Turns images, the last two axes; what lies between, such as channels, is turned together.

        Args:
            a: Turns.
            x: Square images, row 0 at the top; of real numbers unless the group is exact.
        Returns:
            Images of the same size, 0 where a pixel comes from outside.
        Raises:
            ValueError: If images are not square, or are integers that would have to be interpolated.
        """
        # In integers, so that a quarter turn leaves no rest at all.
        quarters = (4 * a + self.order // 2) // self.order
        turned = _quarter_turns(quarters, x)
        if self.exact:
            return turned
        _require_real(x)
        rest = (4 * a - quarters * self.order).to(x.dtype) * (math.pi / (2 * self.order))
        return _interpolate(rest.cos(), rest.sin(), turned)

    def contains(self, a: Int[Tensor, " b"], tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells whether 0 <= k < n; integers are exact, so `tolerance` is not used."""
        return (a >= 0) & (a < self.order)


@dataclass(frozen=True)
class ImageRotations(SpecialOrthogonal):
    """The rotations SO(2) of square images, as 2 × 2 matrices that turn anticlockwise.

    An image is turned by the nearest quarter turn, which only moves pixels, and then by the rest of at most
    45° with bilinear interpolation. Multiples of 90° are thus exact to rounding, and no others are: the
    action is declared approximate. It is differentiable in the image and in the matrix.

    Example:
        >>> group = ImageRotations()
        >>> quarter = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
        >>> group.act(quarter, torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[2., 4.],
                 [1., 3.]]])
    """

    dimension: int = 2

    def __post_init__(self) -> None:
        if self.dimension != 2:
            raise ConfigError(f"images have 2 dimensions, got {self.dimension}")

    @property
    def exact(self) -> bool:
        """False: turns other than quarter turns are interpolated."""
        return False

    def act(self, a: Float[Tensor, "b 2 2"], x: Float[Tensor, "b *c h h"]) -> Float[Tensor, "b *c h h"]:
        """Turns images, the last two axes; what lies between, such as channels, is turned together.

        Args:
            a: Rotations.
            x: Square images, row 0 at the top.
        Returns:
            Images of the same size, 0 where a pixel comes from outside.
        Raises:
            ValueError: If images are not square, or not of real numbers.
        """
        _require_real(x)
        cos, sin = a[:, 0, 0], a[:, 1, 0]
        quarters = (torch.atan2(sin, cos).detach() / (math.pi / 2)).round().long()
        units = torch.tensor([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=a.dtype, device=a.device)
        c, s = units[quarters % 4].unbind(1)
        return _interpolate(cos * c + sin * s, sin * c - cos * s, _quarter_turns(quarters, x))


def _quarter_turns(count: Int[Tensor, " b"], x: Shaped[Tensor, "b *c h h"]) -> Shaped[Tensor, "b *c h h"]:
    """Turns each image anticlockwise by 90° as often as told."""
    if x.ndim < 3 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"rotations turn square images (b *c h h), got the shape {tuple(x.shape)}: pad them")
    turns = torch.stack([torch.rot90(x, k, (-2, -1)) for k in range(4)])
    return turns[count % 4, torch.arange(len(x), device=x.device)]


def _interpolate(
    cos: Float[Tensor, " b"], sin: Float[Tensor, " b"], x: Float[Tensor, "b *c h h"]
) -> Float[Tensor, "b *c h h"]:
    """Turns images anticlockwise by bilinear interpolation, with zeros outside.

    Pixels are found in whole steps from the first one, not on a scale from -1 to 1, so that a turn by
    nothing changes no bit.
    """
    size = x.shape[-1]
    step = torch.arange(size, dtype=x.dtype, device=x.device) - (size - 1) / 2
    right, up = step.repeat(size), -step.repeat_interleave(size)
    cos, sin = cos.to(x.dtype).unsqueeze(1), sin.to(x.dtype).unsqueeze(1)
    column = cos * right + sin * up + (size - 1) / 2
    row = sin * right - cos * up + (size - 1) / 2
    left, top = column.detach().floor(), row.detach().floor()
    flat = x.reshape(len(x), math.prod(x.shape[1:-2]), size * size)
    turned = torch.zeros_like(flat)
    for i, j in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        inside = (i >= 0) & (i < size) & (j >= 0) & (j < size)
        weight = (1 - (row - i).abs()) * (1 - (column - j).abs()) * inside
        place = (i * size + j).long().masked_fill(~inside, 0)
        turned = turned + weight.unsqueeze(1) * flat.gather(2, place.unsqueeze(1).expand_as(flat))
    return turned.reshape(x.shape)


def _require_real(x: Tensor) -> None:
    if not x.is_floating_point():
        raise ValueError(f"images are interpolated and must be real numbers, got {x.dtype}: use .float()")
