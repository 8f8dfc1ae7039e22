"""Node features that an encoder's heads share: scalars and vectors under E(3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.nn.egnn import EquivariantLayer
from molae.nn.mlp import NodeEmbedding

if TYPE_CHECKING:
    from e3nn.o3 import Irreps


class NodeFeatures(NamedTuple):
    """Equivariant features of the nodes of a batch.

    Attributes:
        scalars: `0e` channels.
        vectors: `1o` channels, the first of them the position from the centroid; in Å. None of them for
            graphs without coordinates.
        centre: Centroid of each graph, in Å, or None for graphs without coordinates.
    """

    scalars: Float[Tensor, "b m d"]
    vectors: Float[Tensor, "b m v 3"]
    centre: Float[Tensor, "b 3"] | None


class EquivariantTrunk(nn.Module):
    """Embeds nodes and passes messages between them; equivariant under E(3) and renumbering by construction.

    Args:
        schema: What the graphs carry.
        width: Scalar channels.
        vectors: Vector channels made by messages, beside the position itself.
        layers: Rounds of messages; 0 leaves the embedding and the position.
        ties: Whether nodes see their rank among the nodes that the graph cannot tell from them. It breaks
            the symmetry that message passing cannot break, in the way of `molae.chem.order`.
    """

    def __init__(self, schema: Schema, width: int, vectors: int, layers: int, ties: bool) -> None:
        super().__init__()
        self.embed = NodeEmbedding(schema.node_sizes, schema.numbers, width)
        self.ties = nn.Embedding(schema.max_nodes, width) if ties else None
        self.coordinates = schema.coordinates
        self.layers = nn.ModuleList(
            EquivariantLayer(width, vectors, schema.edge_types, schema.coordinates, schema.edge_numbers)
            for _ in range(layers)
        )
        self.new_vectors = vectors if layers and schema.coordinates else 0
        self.width = width

    @property
    def irreps(self) -> Irreps:
        """What the nodes carry, as e3nn names it."""
        from e3nn.o3 import Irreps

        return Irreps(f"{self.width}x0e + {self.coordinates + self.new_vectors}x1o")

    def forward(self, batch: DenseBatch) -> NodeFeatures:
        """Returns the features of the nodes; vectors are 0 at padding."""
        pos, centre = self._centred(batch)
        scalars = self.embed(batch.nodes, batch.numbers)
        if self.ties is not None:
            if batch.tie is None:
                raise ValueError("this encoder needs graphs with the ranks of their nodes")
            scalars = scalars + self.ties(batch.tie)
        like = scalars if pos is None else pos
        vectors = like.new_zeros(*like.shape[:2], self.new_vectors, 3)
        for layer in self.layers:
            scalars, vectors = layer(scalars, vectors, pos, batch.edges, batch.mask, batch.edge_features)
        if pos is not None:
            vectors = torch.cat([pos.unsqueeze(2), vectors], dim=2)
        return NodeFeatures(scalars, vectors, centre)

    def _centred(self, batch: DenseBatch) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Positions from the centroid, 0 at padding, and the centroid; nothing where there are none."""
        if not self.coordinates:
            return None, None
        if batch.pos is None:
            raise ValueError("this encoder needs graphs with positions")
        inside = batch.mask.unsqueeze(-1)
        count = batch.mask.sum(1, keepdim=True).clamp(min=1)
        centre = (batch.pos * inside).sum(1) / count
        return (batch.pos - centre.unsqueeze(1)) * inside, centre
