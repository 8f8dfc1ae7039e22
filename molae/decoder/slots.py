"""The one-shot decoder: all slots at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor, nn

from molae.batch.schema import Schema
from molae.decoder.base import DECODERS, Decoder
from molae.nn.attention import AttentionLayer
from molae.nn.channels import CodeChannels
from molae.nn.egnn import RADIAL, radial_basis
from molae.nn.lanes import Lanes, SlotCount, SlotReader
from molae.nn.mlp import SlotExpand, residual_mlp
from molae.nn.pairs import OffsetScores, OtherEnd, PairProducts
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
        lanes: Whether each slot is also read from channels of the code of its own (see `molae.nn.lanes`).
        pair_heads: Scalar products of two slots that their pair sees, beside what each slot tells of the slot
            so far away from it (see `molae.nn.pairs`); 0 for neither.
    """

    width: int = 64
    pair_width: int = 32
    head_width: int = 512
    head_depth: int = 2
    attention_layers: int = 0
    heads: int = 4
    length_scale: PositiveFloat = 1.0
    lanes: bool = True
    pair_heads: int = 8


@DECODERS.register("slots", SlotDecoderConfig)
class SlotDecoder(Decoder):
    """Reads each slot from the code, lets the slots see one another, then decodes nodes, pairs and positions.

    A slot is read from its own channels by a map that all slots share, and from the whole code, after
    residual blocks, by weights of its own. Pairs see both slots, how well they match, how far apart they are
    in the order, and the distance between their decoded positions. Where edges have a direction, pairs know
    which slot is the first.

    Args:
        config: Configuration.
        schema: What the graphs carry.
        channels: Channels of the code.
    """

    def __init__(self, config: SlotDecoderConfig, schema: Schema, channels: CodeChannels) -> None:
        super().__init__()
        code_size = channels.size
        self.node_sizes = schema.node_sizes
        self.head = residual_mlp(code_size, config.head_width, config.head_depth, config.head_width)
        self.length_scale = config.length_scale
        self.size = nn.Linear(config.head_width, schema.max_nodes + 1)
        self.spread = SlotExpand(schema.max_nodes, config.head_width, config.width)
        self.read = self.count = None
        lanes = Lanes(channels, schema.max_nodes)
        if config.lanes and lanes.size:
            self.read = SlotReader(config.width, lanes)
            self.count = SlotCount(config.width)
            nn.init.zeros_(self.spread.weight)
        self.mix = nn.ModuleList(
            AttentionLayer(config.width, config.heads) for _ in range(config.attention_layers)
        )
        self.node = nn.Linear(config.width, sum(schema.node_sizes))
        self.number = nn.Linear(config.width, schema.numbers) if schema.numbers else None
        self.position = nn.Linear(config.width, 3) if schema.coordinates else None
        self.pair_sizes = (schema.edge_types, schema.edge_numbers)
        told, back = sum(self.pair_sizes), _seen_from_other(schema)
        self.pair = nn.Linear(config.width, config.pair_width)
        # The second end of a pair is like the first, unless edges have a direction.
        self.second = nn.Linear(config.width, config.pair_width) if back is not None else None
        self.match = self.reach = None
        if config.pair_heads:
            directed = back is not None
            self.match = PairProducts(config.width, config.pair_heads, config.pair_width, directed)
            self.reach = OffsetScores(schema.max_nodes, told, config.width, back)
        self.distance = nn.Linear(RADIAL, config.pair_width, bias=False) if schema.coordinates else None
        self.edge = nn.Linear(config.pair_width, told)
        self.edge_prior = nn.Parameter(torch.zeros(schema.max_nodes, schema.max_nodes, told))
        self.other = OtherEnd(back)

    def forward(self, code: Float[Tensor, "b d"], slots: int) -> Decoded:
        vector = self.head(code)
        size_logits, nodes = self.size(vector), self.spread(vector, slots)
        if self.read is not None and self.count is not None:
            own = self.read(code)
            size_logits, nodes = size_logits + self.count(own), nodes + own[:, :slots]
        nodes = self._mixed(nodes, size_logits)
        pos = self._positions(nodes)
        tell = self._exact_pairs if self.pair_sizes[1] else self._pairs
        edge_logits, edge_numbers = tell(nodes, pos).split(self.pair_sizes, dim=-1)
        return Decoded(
            size_logits=size_logits,
            node_logits=self.node(nodes).split(self.node_sizes, dim=-1),
            edge_logits=edge_logits,
            pos=pos,
            numbers=self._numbers(nodes),
            edge_numbers=edge_numbers if self.pair_sizes[1] else None,
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

    @full_precision
    def _numbers(self, nodes: Float[Tensor, "b m d"]) -> Float[Tensor, "b m q"] | None:
        return None if self.number is None else self.number(nodes.to(self.number.weight.dtype))

    @full_precision
    def _exact_pairs(self, nodes: Float[Tensor, "b m d"], pos: Tensor | None) -> Float[Tensor, "b m m t"]:
        return self._pairs(nodes.to(self.edge.weight.dtype), pos)

    def _pairs(self, nodes: Float[Tensor, "b m d"], pos: Tensor | None) -> Float[Tensor, "b m m t"]:
        """Scores of the categories of each pair, then its numbers: what (i, j) and (j, i) say is the same."""
        slots = nodes.shape[1]
        first = self.pair(nodes)
        second = first if self.second is None else self.second(nodes)
        hidden = first.unsqueeze(2) + second.unsqueeze(1)
        if self.match is not None:
            hidden = hidden + self.match(nodes)
        if self.distance is not None and pos is not None:
            apart = safe_norm(pos.unsqueeze(2) - pos.unsqueeze(1))
            hidden = hidden + self.distance(radial_basis(apart))
        scores = self.edge(nn.functional.gelu(hidden))
        if self.second is not None:
            scores = scores + self.other(scores)
        prior = self.edge_prior[:slots, :slots]
        scores = scores + prior + self.other(prior)
        return scores if self.reach is None else scores + self.reach(nodes)


def _seen_from_other(schema: Schema) -> tuple[int, ...] | None:
    """What is told of a pair of slots, categories and numbers, as seen from the other: a permutation."""
    back = schema.reversed_pair
    if back is None:
        return None
    return (*back.categories, *(schema.edge_types + place for place in back.numbers))
