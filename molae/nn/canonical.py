"""Canonicalisation: a network that sees its input with a group element divided out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from jaxtyping import Shaped
from torch import Tensor, nn

from molae.groups import Group

Element = TypeVar("Element")


class Canonical(NamedTuple, Generic[Element]):
    """What a canonicalised network gives.

    Attributes:
        output: What the network made of g⁻¹x.
        element: g, with which x = g · (g⁻¹x): what a decoder's output is moved by.
    """

    output: Tensor
    element: Element


class Canonicalised(nn.Module, Generic[Element]):
    """Makes any network invariant: it is given g(x)⁻¹ x instead of x.

    If `find` is equivariant, g(h·x) = h·g(x), then g⁻¹x is the same for all of an orbit (Kaba et al. 2023,
    arXiv:2211.06489; Winter et al. 2022, arXiv:2202.07559), and so is whatever is made of it. It is as
    exactly invariant as `find` is equivariant and as the group acts exactly. Where x is symmetric, g need be
    equivariant only up to the elements that leave x as it is.

    Args:
        network: Any network, from the group's data to a tensor.
        group: What is divided out.
        find: Gives the element g of each row of a batch; a module's parameters are trained too.

    Example:
        >>> import torch
        >>> from molae.groups import Translations
        >>> size = Canonicalised(nn.Flatten(), Translations(2), lambda x: x.mean(1))
        >>> output, shift = size(torch.tensor([[[1.0, 5.0], [3.0, 5.0]]]))
        >>> output.tolist(), shift.tolist()
        ([[-1.0, 0.0, 1.0, 0.0]], [[2.0, 5.0]])
    """

    def __init__(self, network: nn.Module, group: Group[Element], find: Callable[[Tensor], Element]) -> None:
        super().__init__()
        self.network = network
        self.group = group
        self.find = find

    def forward(self, x: Shaped[Tensor, "b m *d"]) -> Canonical[Element]:
        element = self.find(x)
        return Canonical(self.network(self.group.act(self.group.inverse(element), x)), element)
