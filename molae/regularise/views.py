"""Other views of the same graphs, for what compares them: nodes hidden and edges cut at random.

A rotated or renumbered view says nothing to an invariant encoder, and graphs have no conformers; what is left
is to withhold a part.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from molae.batch.dense import DenseBatch


def hide_nodes(batch: DenseBatch, share: float, generator: torch.Generator | None) -> Bool[Tensor, "b m"]:
    """Draws the nodes whose categories are to be hidden.

    Args:
        batch: The graphs.
        share: Chance of each node.
        generator: Source of the choice; without it none is hidden.
    Returns:
        True at the chosen nodes, never at padding.
    """
    if generator is None:
        return torch.zeros_like(batch.mask)
    return batch.mask & _drawn(tuple(batch.mask.shape), share, generator)


def cut_edges(batch: DenseBatch, share: float, generator: torch.Generator | None) -> DenseBatch:
    """Leaves edges out.

    Args:
        batch: The graphs.
        share: Chance of each edge.
        generator: Source of the choice; without it none is cut.
    Returns:
        The graphs with what edges are left.
    """
    if generator is None:
        return batch
    cut = _drawn(tuple(batch.edges.shape), share, generator).triu(1)
    return replace(batch, edges=batch.edges.masked_fill(cut | cut.mT, 0))


def _drawn(shape: tuple[int, ...], share: float, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device) < share
