"""The one-shot decoder: all slots at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor, nn

from molae.batch.schema import Schema
from molae.decoder.base import DECODERS, Decoder
from molae.nn.attention import AttentionLayer
from molae.nn.egnn import RADIAL, radial_basis
from molae.nn.mlp import SlotExpand, residual_mlp
from molae.ops import full_precision, safe_norm
from molae.registry import Config
from molae.types import Decoded


class SlotDecoderConfig(Config):
    """Configuration of the slot decoder.

    Attributes:
        width: Channels of a slot.
        pair_width: Channels of a pair of slots.
        head_width: Channels of the vector that all slots are read from.
        head_depth: Residual blocks on that vector.
        attention_layers: Layers of attention between the slots.
        heads: Attention heads.
        length_scale: Length in Å that the network takes for 1; about the spread of the positions.
    """

    width: int = 64
    pair_width: int = 32
    head_width: int = 512
    head_depth: int = 2
    attention_layers: int = 0
    heads: int = 4
    length_scale: PositiveFloat = 1.0


@DECODERS.register("slots", SlotDecoderConfig)
class SlotDecoder(Decoder):
    """Residual blocks on the code, then a linear map to each slot, then heads for nodes, pairs and positions.

    Pairs see both slots and the distance between their decoded positions.

    Args:
        config: Configuration.
        schema: What the graphs carry.
        code_size: Channels of the code.
    """

    def __init__(self, config: SlotDecoderConfig, schema: Schema, code_size: int) -> None:
        super().__init__()
        self.node_sizes = schema.node_sizes
        self.head = residual_mlp(code_size, config.head_width, config.head_depth, config.head_width)
        self.length_scale = config.length_scale
        self.size = nn.Linear(config.head_width, schema.max_nodes + 1)
        self.spread = SlotExpand(schema.max_nodes, config.head_width, config.width)
        self.mix = nn.ModuleList(
            AttentionLayer(config.width, config.heads) for _ in range(config.attention_layers)
        )
        self.node = nn.Linear(config.width, sum(schema.node_sizes))
        self.position = nn.Linear(config.width, 3) if schema.coordinates else None
        self.pair = nn.Linear(config.width, config.pair_width)
        self.distance = nn.Linear(RADIAL, config.pair_width, bias=False) if schema.coordinates else None
        self.edge = nn.Linear(config.pair_width, schema.edge_types)
        self.edge_prior = nn.Parameter(torch.zeros(schema.max_nodes, schema.max_nodes, schema.edge_types))

    def forward(self, code: Float[Tensor, "b d"], slots: int) -> Decoded:
        vector = self.head(code)
        size_logits = self.size(vector)
        nodes = self._mixed(self.spread(vector, slots), size_logits)
        pos = self._positions(nodes)
        return Decoded(
            size_logits=size_logits,
            node_logits=self.node(nodes).split(self.node_sizes, dim=-1),
            edge_logits=self._edges(nodes, pos),
            pos=pos,
        )

    def _mixed(
        self, nodes: Float[Tensor, "b m d"], size_logits: Float[Tensor, "b s"]
    ) -> Float[Tensor, "b m d"]:
        """Slots after attention among as many of them as the code says there are nodes."""
        sizes = size_logits.argmax(-1).clamp(min=1)
        mask = torch.arange(nodes.shape[1], device=nodes.device) < sizes.unsqueeze(1)
        for layer in self.mix:
            nodes = layer(nodes, mask)
        return nodes

    @full_precision
    def _positions(self, nodes: Float[Tensor, "b m d"]) -> Float[Tensor, "b m 3"] | None:
        if self.position is None:
            return None
        return self.length_scale * self.position(nodes.to(self.position.weight.dtype))

    def _edges(self, nodes: Float[Tensor, "b m d"], pos: Tensor | None) -> Float[Tensor, "b m m t"]:
        """Scores of the pairs, the same for (i, j) and (j, i)."""
        slots = nodes.shape[1]
        ends = self.pair(nodes)
        hidden = ends.unsqueeze(2) + ends.unsqueeze(1)
        if self.distance is not None and pos is not None:
            apart = safe_norm(pos.unsqueeze(2) - pos.unsqueeze(1))
            hidden = hidden + self.distance(radial_basis(apart))
        prior = self.edge_prior[:slots, :slots]
        return self.edge(nn.functional.gelu(hidden)) + prior + prior.transpose(0, 1)
