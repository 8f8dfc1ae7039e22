"""What every group can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

Element = TypeVar("Element")


class Group(ABC, Generic[Element]):
    """A group that acts from the left on batches whose axis 0 counts graphs and axis 1 nodes.

    An `Element` is a tensor, or a tuple of tensors, with one group element for each graph of the batch.
    Every group fulfils `act(compose(a, b), x) == act(a, act(b, x))`; those that are not `exact` only as well
    as their data can be resampled.
    """

    @property
    def exact(self) -> bool:
        """Whether the action is one to rounding; False where it resamples data, such as images."""
        return True

    @abstractmethod
    def identity(
        self, batch_size: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Element:
        """Gives the neutral element, once for each graph.

        Args:
            batch_size: Number of graphs.
            dtype: Type of the element's real numbers; integers stay integers.
            device: Where the element is made.
        Returns:
            e with `act(e, x) == x`.
        """

    @abstractmethod
    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Element:
        """Draws random elements: uniform (Haar measure) where the group is compact.

        Args:
            batch_size: Number of graphs.
            generator: Source of the random numbers, on `device`.
            dtype: Type of the element's real numbers; integers stay integers.
            device: Where the element is made.
        Returns:
            Independent elements, one for each graph.
        """

    @abstractmethod
    def compose(self, a: Element, b: Element) -> Element:
        """Gives the element that acts as `b` and then `a`."""

    @abstractmethod
    def inverse(self, a: Element) -> Element:
        """Gives the element that undoes `a`."""

    @abstractmethod
    def act(self, a: Element, x: Shaped[Tensor, "b m *d"]) -> Shaped[Tensor, "b m *d"]:
        """Moves each graph of `x` by its element of `a`."""

    @abstractmethod
    def contains(self, a: Element, tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells for each graph whether `a` is an element of the group.

        Args:
            a: Candidate of the right shape.
            tolerance: Largest deviation that real numbers may have.
        Returns:
            True where it is one.
        """
