"""The encoder whose code is a sum over nodes that do not know their slot, as published."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.encoder.base import ENCODERS, Encoder, EncoderConfig, positions_in_frame
from molae.errors import ConfigError
from molae.groups.action import GroupAction
from molae.nn.mlp import ResidualBlock, residual_mlp
from molae.nn.pose import PooledPose
from molae.nn.trunk import NodeFeatures


@ENCODERS.register("pooled", EncoderConfig)
class PooledEncoder(Encoder):
    """Code pooled from nodes, each with its position in the predicted frame.

    Smooth, and independent of any order of the nodes; but it holds far less of the molecule than the code of
    `SlotEncoder`, see the table of aligners in the README.

    Args:
        config: Configuration.
        schema: What the graphs carry.
        aligner: Predicts the permutation, or leaves it to the decoder's output.
        code_size: Channels of the code.

    Raises:
        ConfigError: If the nodes have neither positions nor layers, and so know nothing of their edges.
    """

    reads_slots = False

    def __init__(self, config: EncoderConfig, schema: Schema, aligner: nn.Module, code_size: int) -> None:
        super().__init__(config, schema, aligner, code_size)
        if not (schema.coordinates or config.layers):
            raise ConfigError(
                "PooledEncoder sees the edges of graphs without coordinates by its layers alone: "
                "set its `layers` to 1 or more, or take the encoder 'slots'"
            )
        self.rotation = None
        if schema.coordinates:
            self.rotation = PooledPose(config.width, 1 + self.trunk.new_vectors, config.frame)
        self.token = nn.Sequential(
            nn.Linear(config.width + 3 * schema.coordinates, config.head_width),
            ResidualBlock(config.head_width),
        )
        self.head = residual_mlp(config.head_width, config.head_width, config.head_depth, self.own.size)

    def pose(self, features: NodeFeatures, permutation: Tensor, batch: DenseBatch) -> tuple[Tensor, Tensor]:
        if self.rotation is None:
            raise ValueError("without coordinates there is no pose")
        return self.rotation(features, batch.sizes)

    def code(self, features: NodeFeatures, action: GroupAction, batch: DenseBatch) -> Float[Tensor, "b d"]:
        seen = features.scalars
        if self.coordinates:
            seen = torch.cat([seen, positions_in_frame(features, action).to(seen.dtype)], dim=-1)
        tokens = self.token(seen)
        pooled = (tokens * batch.mask.unsqueeze(-1)).sum(1) / batch.sizes.clamp(min=1).sqrt().unsqueeze(1)
        return self.head(pooled)
