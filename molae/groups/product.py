"""Direct products of groups whose actions commute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from molae.groups.base import Group

First = TypeVar("First")
Second = TypeVar("Second")


class ProductElement(NamedTuple, Generic[First, Second]):
    """One element of each factor."""

    first: First
    second: Second


@dataclass(frozen=True)
class DirectProduct(Group[ProductElement[First, Second]]):
    """The product G × H of two groups whose actions on the same data commute, such as SE(3) × S_n.

    Attributes:
        first: The factor G.
        second: The factor H.

    Example:
        >>> from molae.groups import SpecialEuclidean, SymmetricGroup
        >>> group = DirectProduct(SpecialEuclidean(3), SymmetricGroup(5))
        >>> g, h, x = group.sample(2), group.sample(2), torch.randn(2, 5, 3)
        >>> torch.allclose(group.act(group.compose(g, h), x), group.act(g, group.act(h, x)), atol=1e-5)
        True
    """

    first: Group[First]
    second: Group[Second]

    @property
    def exact(self) -> bool:
        """Whether both factors act exactly."""
        return self.first.exact and self.second.exact

    def identity(
        self, batch_size: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> ProductElement[First, Second]:
        """Gives the pair of neutral elements."""
        return ProductElement(
            self.first.identity(batch_size, dtype=dtype, device=device),
            self.second.identity(batch_size, dtype=dtype, device=device),
        )

    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> ProductElement[First, Second]:
        """Draws both parts independently."""
        return ProductElement(
            self.first.sample(batch_size, generator=generator, dtype=dtype, device=device),
            self.second.sample(batch_size, generator=generator, dtype=dtype, device=device),
        )

    def compose(
        self, a: ProductElement[First, Second], b: ProductElement[First, Second]
    ) -> ProductElement[First, Second]:
        """Composes both parts, each in its own group."""
        return ProductElement(self.first.compose(a.first, b.first), self.second.compose(a.second, b.second))

    def inverse(self, a: ProductElement[First, Second]) -> ProductElement[First, Second]:
        """Inverts both parts."""
        return ProductElement(self.first.inverse(a.first), self.second.inverse(a.second))

    def act(self, a: ProductElement[First, Second], x: Shaped[Tensor, "b m *d"]) -> Shaped[Tensor, "b m *d"]:
        """Acts with both parts; as they commute, their order does not matter."""
        return self.first.act(a.first, self.second.act(a.second, x))

    def contains(self, a: ProductElement[First, Second], tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells whether both parts are elements of their groups."""
        return self.first.contains(a.first, tolerance) & self.second.contains(a.second, tolerance)
