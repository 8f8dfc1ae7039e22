"""The encoder that sees every node in its canonical slot."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.encoder.base import ENCODERS, Encoder, EncoderConfig, positions_in_frame
from molae.errors import ConfigError
from molae.groups.action import GroupAction
from molae.nn.attention import AttentionLayer
from molae.nn.lanes import Lanes, SlotWriter
from molae.nn.linear import LinearLanes
from molae.nn.mlp import SlotLinear, residual_mlp
from molae.nn.pairs import OffsetEmbedding, pair_table, sum_over_edges
from molae.nn.pose import SlotPose
from molae.nn.trunk import NodeFeatures
from molae.ops import full_precision


class SlotEncoderConfig(EncoderConfig):
    """Configuration of the slot encoder.

    Attributes:
        attention_layers: Layers of attention between the slots, ahead of the linear map.
        heads: Attention heads.
        length_scale: Length in Å that the network takes for 1; about the spread of the positions.
        lanes: Whether each slot also writes to channels of the code of its own (see `molae.nn.lanes`).
        offsets: Whether slots see their edges by how far they reach in the order, too (see `molae.nn.pairs`).
        head: Whether a network that sees all slots adds to the code. Without it, and without attention, what
            a slot writes is linear in what its node and edges carry (see `SlotEncoder.linear_lanes`).
    """

    attention_layers: int = 0
    heads: int = 4
    length_scale: PositiveFloat = 1.0
    lanes: bool = True
    offsets: bool = True
    head: bool = True


@ENCODERS.register("slots", SlotEncoderConfig)
class SlotEncoder(Encoder):
    """Code of all slots at once, each slot with weights of its own.

    Nodes carry their categories and numbers, their edges to the other slots with what these carry, and their
    positions in the predicted frame. One linear map takes them, slot by slot, to a vector; residual blocks
    follow. What is linear in positions and numbers reaches the code unhindered, which is what a precise
    geometry needs.

    Args:
        config: Configuration.
        schema: What the graphs carry.
        aligner: Predicts the permutation.
        code_size: Channels of the code.

    Raises:
        ConfigError: If there is neither a head nor room in the code for a channel of each slot.
    """

    def __init__(self, config: SlotEncoderConfig, schema: Schema, aligner: nn.Module, code_size: int) -> None:
        super().__init__(config, schema, aligner, code_size)
        self.rotation = SlotPose(1 + self.trunk.new_vectors, config.frame) if schema.coordinates else None
        self.length_scale = config.length_scale
        self.place = nn.Parameter(0.02 * torch.randn(schema.max_nodes, config.width))
        self.edge = nn.Parameter(0.1 * torch.randn(schema.max_nodes, schema.edge_types, config.width))
        self.reach = None
        if config.offsets:
            self.reach = OffsetEmbedding(schema.max_nodes, schema.edge_types, config.width)
        self.number = self.number_reach = None
        if schema.edge_numbers:
            self.number = nn.Parameter(0.1 * torch.randn(schema.max_nodes, schema.edge_numbers, config.width))
            if config.offsets:
                self.number_reach = OffsetEmbedding(schema.max_nodes, schema.edge_numbers, config.width)
        self.position = nn.Linear(3, config.width, bias=False) if schema.coordinates else None
        self.mix = nn.ModuleList(
            AttentionLayer(config.width, config.heads) for _ in range(config.attention_layers)
        )
        self.gather = self.head = self.write = None
        if config.head:
            self.gather = SlotLinear(schema.max_nodes, config.width, config.head_width)
            self.head = residual_mlp(config.head_width, config.head_width, config.head_depth, self.own.size)
        lanes = Lanes(self.own, schema.max_nodes)
        if config.lanes and lanes.size:
            self.write = SlotWriter(config.width, lanes)
            if self.head is not None:
                # The lanes alone at the start: they are learned first, and the rest is learned beside them.
                for parameter in self.head[-1].parameters():
                    nn.init.zeros_(parameter)
        if self.head is None and self.write is None:
            raise ConfigError(
                f"the slot encoder has neither a head nor lanes: set `head` and `lanes`, or code_size to"
                f" {schema.max_nodes + self.summary_size} or more"
            )

    def pose(self, features: NodeFeatures, permutation: Tensor, batch: DenseBatch) -> tuple[Tensor, Tensor]:
        if self.rotation is None:
            raise ValueError("without coordinates there is no pose")
        return self.rotation(features, permutation, batch.sizes)

    def code(self, features: NodeFeatures, action: GroupAction, batch: DenseBatch) -> Float[Tensor, "b d"]:
        if self.write is not None and self.head is None and not len(self.mix):
            # Nothing but sums lies between what the slots see and write: the few channels that they write
            # are summed.
            return self.write.lanes.join(self._tokens(features, action, batch, self.write.slots))
        tokens = self._tokens(features, action, batch, nn.Identity())
        parts = []
        if self.write is not None:
            parts.append(self.write(tokens))
        if self.gather is not None and self.head is not None:
            parts.append(self.head(self.gather(tokens)))
        return reduce(operator.add, parts)

    def _tokens(
        self, features: NodeFeatures, action: GroupAction, batch: DenseBatch, of: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "b m d"]:
        """What each slot sees, after attention; 0 in empty slots.

        Args:
            features: Features of the nodes.
            action: The group element.
            batch: The graphs.
            of: A linear map of all that is summed.
        """
        slots = batch.mask.shape[1]
        tokens = action.canonical_nodes(of(features.scalars)) + of(self.place[:slots])
        tokens = tokens + self._embed_edges(action, batch, of)
        if self.number is not None:
            tokens = tokens + of(self._embed_edge_numbers(action, batch, self.number))
        if self.position is not None:
            framed = action.canonical_nodes(positions_in_frame(features, action))
            tokens = tokens + of(self._place_in_space(framed, self.position))
        for layer in self.mix:
            tokens = layer(tokens, batch.mask)
        return tokens * batch.mask.unsqueeze(-1)

    @torch.no_grad()
    def linear_lanes(self) -> LinearLanes | None:
        """What nodes and edges bring to the lanes of the slots, where the code is just the sum of that; None
        where messages, attention, a head, positions or continuous attributes have a part in it."""
        told = (self.head, self.position, self.number, self.trunk.embed.weigh)
        if self.write is None or any(part is not None for part in told):
            return None
        if len(self.mix) or len(self.trunk.layers):
            return None
        slots, weight = len(self.place), self.write.map.weight.mT.double()
        node = tuple(table.double() @ weight for table in self.trunk.embed.tables.parameters())
        pair = (self.edge.double() @ weight).expand(slots, -1, -1, -1)
        if self.reach is not None:
            pair = pair + pair_table(self.reach.table.double() @ weight, slots)
        return LinearLanes(Lanes(self.channels, slots), node, self.place.double() @ weight, pair)

    def _embed_edges(
        self, action: GroupAction, batch: DenseBatch, of: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "b m d"]:
        """Sums, at each slot, a linear map of the embeddings of its edges to all others."""
        if action.is_hard and self.reach is not None:
            found = sum_over_edges(
                of(self.edge), of(self.reach.table), action.hard_index, batch.edge_list, batch.sizes
            )
            return action.canonical_nodes(found)
        # Category 0 says that two nodes share no edge; at padding there is no second node to say it of.
        edges = batch.edges.masked_fill(~batch.mask[:, None, :], -1)
        kinds = action.canonical_categories(edges, self.edge.shape[1], self.edge.dtype)
        slots = batch.mask.shape[1]
        rows = self.edge[:slots].expand(slots, -1, -1, -1)
        if self.reach is not None:
            rows = rows + self.reach(slots)
        return torch.einsum("bijt,ijtd->bid", kinds, of(rows))

    @full_precision
    def _embed_edge_numbers(
        self, action: GroupAction, batch: DenseBatch, by_slot: Float[Tensor, "s p d"]
    ) -> Float[Tensor, "b m d"]:
        """Sums, at each slot, the continuous attributes of its edges, each weighed by its other end."""
        if batch.edge_features is None:
            raise ValueError("this encoder needs graphs with continuous attributes of their edges")
        slots = batch.mask.shape[1]
        rows = by_slot[:slots].expand(slots, -1, -1, -1)
        if self.number_reach is not None:
            rows = rows + self.number_reach(slots)
        return torch.einsum(
            "bijp,ijpd->bid", action.canonical_edges(batch.edge_features.to(rows.dtype)), rows
        )

    @full_precision
    def _place_in_space(self, pos: Float[Tensor, "b m 3"], weigh: nn.Linear) -> Float[Tensor, "b m d"]:
        return weigh(pos.to(weigh.weight.dtype) / self.length_scale)
