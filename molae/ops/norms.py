"""Lengths and directions of vectors that may be zero."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def safe_norm(x: Float[Tensor, "*d"], dim: int = -1, eps: float = 1e-12) -> Float[Tensor, "*d"]:
    """Finds Euclidean lengths with a finite gradient everywhere, where a bare square root gives NaN at zero.

    Args:
        x: Vectors.
        dim: Axis of their components; the result keeps it with size 1.
        eps: Length up to which a vector counts as zero.
    Returns:
        Lengths; exactly 0, with gradient 0, where the vector counts as zero.

    Example:
        >>> import torch
        >>> safe_norm(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[5.],
                [0.]])
    """
    square = x.square().sum(dim=dim, keepdim=True)
    zero = square <= eps**2
    # The root must not see the zeros even where its value is not taken: 0 · inf in its gradient is NaN.
    return square.masked_fill(zero, 1.0).sqrt().masked_fill(zero, 0.0)


def safe_normalise(x: Float[Tensor, "*d"], dim: int = -1, eps: float = 1e-12) -> Float[Tensor, "*d"]:
    """Scales vectors to length 1, with a finite gradient everywhere.

    Args:
        x: Vectors.
        dim: Axis of their components.
        eps: Length up to which a vector counts as zero.
    Returns:
        Unit vectors; exactly 0, with gradient 0, where the vector counts as zero.
    """
    length = safe_norm(x, dim, eps)
    zero = length == 0
    return (x / length.masked_fill(zero, 1.0)).masked_fill(zero, 0.0)
