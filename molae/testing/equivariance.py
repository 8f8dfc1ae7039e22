"""How far any network is from equivariant under any group: a figure, and a penalty to train by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from molae.groups import Group


def equivariance_gap(
    network: Callable[[Tensor], Tensor],
    group: Group[Any],
    x: Shaped[Tensor, "b *d"],
    act: Callable[[Any, Tensor], Tensor] | None = None,
    samples: int = 8,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " b"]:
    """Measures how far a network is from equivariant, f(h·x) = h·f(x), over random elements h.

    For each row it is the root mean square of f(h·x) - h·f(x) over elements and channels, as a share of how
    much outputs differ between the rows and elements at all: the standard deviation of f(h·x), of one
    channel on the average. 0 is exactly equivariant, and about 1.4 says that f(h·x) has nothing to do with
    h·f(x). Its mean square is a penalty for networks that are not equivariant by construction: it has a
    gradient, and cannot be lowered by outputs that are smaller, only by outputs that are more alike where
    they should be than elsewhere.

    Args:
        network: Takes a batch and returns a tensor with one row for each of its rows; in evaluation mode, if
            it has random parts.
        group: The group.
        x: Data that it acts on.
        act: How its elements act on the output, such as `group.act`; None if they should leave it as it is.
        samples: Random elements for each row.
        generator: Source of the elements.
    Returns:
        The gap of each row. Where a network gives one output for all inputs, to rounding, it is a share of
        the size of the output.
    Raises:
        ValueError: If `samples` is not positive, or the network does not give one row for each of `x`.

    Example:
        >>> from molae.groups import SymmetricGroup
        >>> x, some = torch.randn(4, 5, 3), torch.Generator().manual_seed(0)
        >>> equivariance_gap(lambda x: x.amax(1), SymmetricGroup(5), x, generator=some)
        tensor([0., 0., 0., 0.])
        >>> bool((equivariance_gap(lambda x: x[:, 0], SymmetricGroup(5), x, generator=some) > 0.1).all())
        True
    """
    if samples < 1:
        raise ValueError(f"samples must be 1 or more, got {samples}")
    repeated = x.repeat_interleave(samples, 0)
    element = group.sample(
        len(repeated),
        generator=generator,
        dtype=x.dtype if x.is_floating_point() else torch.float32,
        device=x.device,
    )
    still = network(x)
    if still.shape[:1] != x.shape[:1]:
        raise ValueError(f"the network must give a row for each of {len(x)}, but gave {tuple(still.shape)}")
    moved, expected = network(group.act(element, repeated)), still.repeat_interleave(samples, 0)
    if act is not None:
        expected = act(element, expected)
    deviation = _mean_square((moved - expected).reshape(len(x), samples, -1))
    size = _mean_square(moved.reshape(1, -1))
    spread = _mean_square((moved - moved.mean(0)).reshape(1, -1))
    # Of outputs that differ by nothing but rounding, a share of the difference would be meaningless.
    spread = torch.where(spread > (100 * torch.finfo(moved.dtype).eps) ** 2 * size, spread, size)
    return _root(deviation / spread.masked_fill(spread == 0, 1.0))


def _mean_square(x: Tensor) -> Tensor:
    """Of each row."""
    return x.flatten(1).square().mean(1)


def _root(x: Tensor) -> Tensor:
    """Square root with gradient 0 at 0, where that of torch is infinite."""
    return torch.where(x > 0, x.masked_fill(x <= 0, 1.0).sqrt(), 0.0)
