"""Assignments of nodes to slots, soft and hard."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def sinkhorn(
    logits: Float[Tensor, "b m m"], mask: Bool[Tensor, "b m"], iterations: int = 20, temperature: float = 1.0
) -> Float[Tensor, "b m m"]:
    """Makes logits doubly stochastic by normalising columns and rows in turn (Sinkhorn 1964,
    doi:10.1214/aoms/1177703591; Mena et al. 2018, arXiv:1802.08665).

    Args:
        logits: Affinity of each node (row) to each slot (column).
        mask: True at the n real nodes, which come first and share the slots 0 .. n-1; padding stays in place.
        iterations: Number of times that columns and rows are normalised; rows come last and are exact.
        temperature: Divides the logits; towards 0 the result becomes a permutation.
    Returns:
        Doubly stochastic matrices.
    Raises:
        ValueError: If `temperature` is not positive.

    Example:
        >>> sinkhorn(torch.zeros(1, 2, 2), torch.ones(1, 2, dtype=torch.bool))
        tensor([[[0.5000, 0.5000],
                 [0.5000, 0.5000]]])
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    real = mask.unsqueeze(2) & mask.unsqueeze(1)
    padding = torch.diag_embed(~mask)
    log = (logits / temperature).masked_fill(padding, 0.0).masked_fill(~(real | padding), -torch.inf)
    for _ in range(iterations):
        log = log.log_softmax(dim=1).log_softmax(dim=2)
    return log.exp()


def assign(scores: Float[Tensor, "b m m"], mask: Bool[Tensor, "b m"]) -> Int[Tensor, "b m"]:
    """Finds the valid permutation of the largest total score (Kuhn 1955, doi:10.1002/nav.3800020109).

    Args:
        scores: Score of each node (row) for each slot (column), such as logits or a soft permutation.
        mask: True at the n real nodes, which come first and share the slots 0 .. n-1; padding stays in place.
    Returns:
        Slot of each node, each row a permutation of 0 .. m-1, without gradient.
    Raises:
        ValueError: If the score of a real node for a real slot is not finite.

    Example:
        >>> assign(torch.tensor([[[0.9, 0.8], [0.8, 0.1]]]), torch.ones(1, 2, dtype=torch.bool))
        tensor([[1, 0]])
    """
    # Not above: takes half a second, which models with a canonical order need not wait for.
    from scipy.optimize import linear_sum_assignment

    slots = torch.arange(mask.shape[1]).repeat(len(mask), 1)
    table = scores.detach().to("cpu", torch.float64)
    for graph, size in enumerate(mask.sum(dim=1).tolist()):
        block = table[graph, :size, :size]
        if not bool(block.isfinite().all()):
            raise ValueError(f"scores must be finite, but those of graph {graph} of the batch are not")
        slots[graph, :size] = torch.from_numpy(linear_sum_assignment(block.numpy(), maximize=True)[1])
    return slots.to(scores.device)
