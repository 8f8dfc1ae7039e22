"""A smooth part of a code: pooled from messages along the edges, without any order of the nodes.

A code read off canonical slots holds a graph exactly, but jumps where a small change of the graph changes the
order. What is pooled over the nodes does not; it holds less, and what it is taught to hold.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from pydantic import PositiveInt
from torch import Tensor, nn

from molae.batch.dense import DenseBatch, EdgeList
from molae.batch.schema import Schema
from molae.nn.mlp import NodeEmbedding, residual_mlp
from molae.ops import full_precision
from molae.registry import Config

WALKS = 8
"""Longest walk whose return probability a node knows: rings of up to so many nodes are seen."""


class SummaryConfig(Config):
    """Configuration of the summary of a graph.

    Attributes:
        size: Channels of the code that it takes.
        width: Channels of a node.
        layers: Rounds of messages along the edges.
        depth: Residual blocks between the pooled nodes and the code.
    """

    size: PositiveInt
    width: PositiveInt = 96
    layers: PositiveInt = 3
    depth: PositiveInt = 2


class RelationalLayer(nn.Module):
    """Messages along the edges, weighted channel by channel for each of their categories: relational
    convolution (Schlichtkrull et al. 2018, arXiv:1703.06103) with diagonal matrices. Continuous attributes
    of an edge add to its weights.

    Args:
        width: Channels of a node.
        edge_types: Number of edge categories, category 0 for no edge.
        edge_numbers: Number of continuous attributes of a pair of nodes.
    """

    def __init__(self, width: int, edge_types: int, edge_numbers: int = 0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.kinds = nn.Parameter(torch.randn(edge_types - 1, width))
        self.number = nn.Linear(edge_numbers, width, bias=False) if edge_numbers else None
        self.update = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))

    def forward(
        self, x: Float[Tensor, "b m d"], edges: EdgeList, numbers: Float[Tensor, "b m m p"] | None = None
    ) -> Float[Tensor, "b m d"]:
        """Returns the updated nodes."""
        normed = self.norm(x).flatten(0, 1)
        start = edges.graph * x.shape[1]
        weights = self.kinds.index_select(0, edges.kind - 1)
        if self.number is not None and numbers is not None:
            weights = weights + self.number(numbers[edges.graph, edges.first, edges.second])
        sent = weights.mul_(normed.index_select(0, start + edges.second))
        received = torch.zeros_like(normed).index_add_(0, start + edges.first, sent)
        return x + self._update(normed, received).view_as(x)

    def _update(self, normed: Float[Tensor, "n d"], received: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        # The map of the two side by side, without putting them there: that takes as long as to calculate it.
        first, activation, second = self.update
        weight, bias = first.parameters()
        own, others = weight.split(normed.shape[1], dim=1)
        hidden = torch.addmm(nn.functional.linear(normed, own, bias), received, others.mT)
        return second(activation(hidden))


class Summary(nn.Module):
    """Sum, mean and maximum over nodes that know their surroundings, made into a few channels of the code.

    Args:
        config: Configuration.
        schema: What the graphs carry.

    Attributes:
        config: Configuration.
        schema: What the graphs carry.
    """

    def __init__(self, config: SummaryConfig, schema: Schema) -> None:
        super().__init__()
        self.config, self.schema = config, schema
        self.embed = NodeEmbedding(schema.node_sizes, schema.numbers, config.width)
        self.walk = nn.Linear(WALKS, config.width, bias=False)
        self.layers = nn.ModuleList(
            RelationalLayer(config.width, schema.edge_types, schema.edge_numbers)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.head = residual_mlp(3 * config.width, 2 * config.width, config.depth, config.size)
        # Nothing at the start, so that the decoder learns to read the rest of the code first.
        for parameter in self.head[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, batch: DenseBatch, hidden: Bool[Tensor, "b m"] | None = None) -> Float[Tensor, "b c"]:
        """Returns the channels; they depend on what nodes and edges carry alone, not on positions (`hidden`:
        see `nodes`)."""
        return self.read(self.nodes(batch, hidden), batch.mask)

    def read(self, nodes: Float[Tensor, "b m d"], mask: Bool[Tensor, "b m"]) -> Float[Tensor, "b c"]:
        """Returns the channels, of what each node knows (see `nodes`)."""
        return self.head(_pool(nodes, mask))

    def nodes(self, batch: DenseBatch, hidden: Bool[Tensor, "b m"] | None = None) -> Float[Tensor, "b m d"]:
        """Returns what each node knows of itself and its surroundings.

        Args:
            batch: The graphs.
            hidden: Nodes whose categories and numbers are withheld.
        """
        own = self.embed(batch.nodes, batch.numbers)
        if hidden is not None:
            own = own.masked_fill(hidden.unsqueeze(2), 0.0)
        connected = (batch.edges > 0).to(self.walk.weight.dtype)
        nodes = own + self.walk(self._return_probabilities(connected))
        for layer in self.layers:
            nodes = layer(nodes, batch.edge_list, batch.edge_features)
        return self.norm(nodes)

    @full_precision
    def _return_probabilities(self, connected: Float[Tensor, "b m m"]) -> Float[Tensor, "b m w"]:
        """Chance that a random walk of 1 to `WALKS` steps ends where it began (Dwivedi et al. 2022,
        arXiv:2110.07875)."""
        walk = [connected / connected.sum(2, keepdim=True).clamp(min=1)]
        while 2 * len(walk) < WALKS:
            walk.append(walk[-1] @ walk[0])
        # A longer walk is the longest of these and one of them behind it, of which the ends alone are needed.
        back = walk[-1].mT.contiguous()
        chances = [each.diagonal(dim1=1, dim2=2) for each in walk] + [(each * back).sum(2) for each in walk]
        return torch.stack(chances, dim=2)


class TargetHead(nn.Module):
    """What the summary is taught: known numbers of the whole graph, linear in it.

    Args:
        size: Channels of the summary.
        targets: Number of targets.

    Attributes:
        centre: Mean of each target over the training graphs, in its own unit.
        scale: Standard deviation of each.
    """

    CLIP = 8.0  # standard deviations; descriptors of odd molecules lie far outside of the others'

    centre: Tensor
    scale: Tensor

    def __init__(self, size: int, targets: int) -> None:
        super().__init__()
        self.map = nn.Linear(size, targets)
        self.register_buffer("centre", torch.zeros(targets))
        self.register_buffer("scale", torch.ones(targets))

    def fit(self, targets: Float[Tensor, "g t"]) -> None:
        """Takes centre and scale from the training graphs; NaN says that a target is not known."""
        known = targets.isfinite()
        count = known.sum(0).clamp(min=1)
        centre = targets.where(known, 0.0).sum(0) / count
        square = (targets - centre).where(known, 0.0).square().sum(0) / count
        self.centre.copy_(centre)
        self.scale.copy_(square.sqrt().where(square > 0, 1.0))

    @full_precision
    def forward(self, summary: Float[Tensor, "b c"]) -> Float[Tensor, "b t"]:
        """Predicts the targets, in their own units."""
        return self.map(summary.to(self.map.weight.dtype)) * self.scale + self.centre

    def loss(self, summary: Float[Tensor, "b c"], targets: Float[Tensor, "b t"]) -> Float[Tensor, " b"]:
        """Mean Huber loss of the known targets of each graph, in units of their scale; 0 where none is."""
        aim = ((targets - self.centre) / self.scale).clamp(-self.CLIP, self.CLIP)
        known = aim.isfinite()
        found = (self(summary) - self.centre) / self.scale
        off = nn.functional.smooth_l1_loss(found, aim.where(known, 0.0), reduction="none")
        return off.where(known, 0.0).sum(1) / known.sum(1).clamp(min=1)


def _pool(nodes: Float[Tensor, "b m d"], mask: Bool[Tensor, "b m"]) -> Float[Tensor, "b 3d"]:
    """Scaled sum, mean and maximum of the real nodes; 0 for a graph without any."""
    inside = mask.unsqueeze(2).to(nodes.dtype)
    count: Int[Tensor, "b 1"] = mask.sum(1, keepdim=True)
    total = (nodes * inside).sum(1)
    # Minus infinity is added to padding: quicker than to choose between two values.
    highest = (nodes + inside.log()).amax(1).where(count > 0, 0.0)
    return torch.cat([total / 8, total / count.clamp(min=1), highest], dim=1)
