"""A learned permutation: scores between nodes and slots, made doubly stochastic."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.align.base import ALIGNERS, Aligner
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.ops import assign, sinkhorn
from molae.registry import Config


class SinkhornConfig(Config):
    """Configuration of the Sinkhorn aligner.

    Attributes:
        iterations: Normalisations of rows and columns.
        temperature: Divides the scores.
        revisions: Times that a first estimate of the slots is revised in view of the neighbours' slots.
        teacher: Weight of the cross-entropy to the canonical order; 0 learns the order from reconstruction
            alone.
    """

    iterations: int = 10
    temperature: float = 1.0
    revisions: int = 3
    teacher: float = 1.0


@ALIGNERS.register("sinkhorn", SinkhornConfig)
class SinkhornAligner(Aligner):
    """Scores each node against each slot, and assigns by the best total score.

    The doubly stochastic matrix of the scores is an estimate of the permutation. An order along the edges,
    such as the canonical one, is easier to find step by step: nodes are told where they and their neighbours
    are believed to be, and are scored again.

    The estimates learn from the teacher. The rest of the model gets a valid permutation, in training as
    at evaluation: a soft one would blur the graph that the code and the loss see, and leave the decoder
    without practice in the orders that come at evaluation. Without a teacher, the gradient of the
    reconstruction goes straight through the assignment to the last estimate (Bengio et al. 2013,
    arXiv:1308.3432).

    Slots count from both ends, so that the last slot of a small molecule and of a large one look alike.
    """

    reads_features = True

    def __init__(self, config: SinkhornConfig, schema: Schema, width: int) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Parameter(torch.randn(schema.max_nodes, width))
        self.last = nn.Parameter(torch.randn(schema.max_nodes, width))
        self.queries = nn.ModuleList(_perceptron(width) for _ in range(config.revisions + 1))
        self.revisions = nn.ModuleList(Revision(width, schema.edge_types) for _ in range(config.revisions))

    def forward(self, scalars: Tensor, batch: DenseBatch) -> tuple[Tensor, dict[str, Tensor]]:
        slots = self._slots(batch)
        logits = self._scores(self.queries[0](scalars), slots)
        estimates = [self._soften(logits, batch)]
        for revision, query in zip(self.revisions, self.queries[1:], strict=True):
            scalars = revision(scalars, estimates[-1] @ slots, batch.edges)
            logits = self._scores(query(scalars), slots)
            estimates.append(self._soften(logits, batch))
        slot = assign(logits, batch.mask)
        if not self.training:
            return slot, {}
        if self.config.teacher == 0:
            return _straight_through(slot, estimates[-1]), {}
        surprise = torch.stack([_surprise(estimate, batch) for estimate in estimates]).mean(0)
        return slot, {"permutation": self.config.teacher * surprise}

    def _slots(self, batch: DenseBatch) -> Float[Tensor, "b m d"]:
        """What each slot is like, in a graph of as many nodes."""
        m = batch.mask.shape[1]
        from_end = (batch.sizes.unsqueeze(1) - 1 - torch.arange(m, device=batch.mask.device)).clamp(min=0)
        return self.first[:m] + self.last[from_end]

    def _scores(self, queries: Tensor, slots: Tensor) -> Float[Tensor, "b m m"]:
        return queries @ slots.mT / queries.shape[-1] ** 0.5

    def _soften(self, logits: Tensor, batch: DenseBatch) -> Float[Tensor, "b m m"]:
        return sinkhorn(logits, batch.mask, self.config.iterations, self.config.temperature)


class Revision(nn.Module):
    """Tells nodes where they and their neighbours are believed to be.

    Args:
        width: Scalar channels of a node.
        edge_types: Number of edge categories.
    """

    def __init__(self, width: int, edge_types: int) -> None:
        super().__init__()
        self.edge_types = edge_types
        self.place = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.own = nn.Linear(width, width)
        # Graphs without edges, such as bare points, have no neighbours.
        self.near = nn.Linear((edge_types - 1) * width, width, bias=False) if edge_types > 1 else None
        self.update = nn.Sequential(nn.SiLU(), *_perceptron(width))

    def forward(
        self, scalars: Float[Tensor, "b m d"], slots: Float[Tensor, "b m d"], edges: Int[Tensor, "b m m"]
    ) -> Float[Tensor, "b m d"]:
        """Returns the scalars, revised.

        Args:
            scalars: Invariant features of the nodes.
            slots: What the slot of each node is expected to be like.
            edges: Edge categories; 0 where there is no edge.
        """
        nodes = self.norm(scalars + self.place(slots))
        hidden = self.own(nodes)
        if self.near is not None:
            kinds = nn.functional.one_hot(edges, self.edge_types)[..., 1:].to(nodes.dtype)
            hidden = hidden + self.near(torch.einsum("bijt,bjd->bitd", kinds, nodes).flatten(2))
        return scalars + self.update(hidden)


def _perceptron(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))


def _surprise(estimate: Float[Tensor, "b m m"], batch: DenseBatch) -> Float[Tensor, " b"]:
    """Cross-entropy to the canonical order, summed over the nodes."""
    likelihood = estimate.gather(2, batch.slot.unsqueeze(2)).squeeze(2)
    return -(likelihood.clamp(min=1e-9).log() * batch.mask).sum(1)


def _straight_through(slot: Tensor, soft: Tensor) -> Float[Tensor, "b m m"]:
    """The permutation as a matrix, with the gradient of the soft one."""
    hard = nn.functional.one_hot(slot, slot.shape[1]).to(soft.dtype)
    return hard + soft - soft.detach()
