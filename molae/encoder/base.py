"""What all encoders have in common: canonicalise, then encode.

A group element g is found first; the code is then read off g⁻¹x. Since g(h·x) = h·g(x), g⁻¹x is the same for
every pose and numbering of x, so that any network on it is an exactly invariant encoder.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import fields, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.errors import ConfigError
from molae.groups.action import GroupAction
from molae.nn.channels import CodeChannels
from molae.nn.linear import LinearLanes
from molae.nn.summary import Summary, SummaryConfig
from molae.nn.trunk import EquivariantTrunk, NodeFeatures
from molae.ops import full_precision
from molae.registry import Config, Registry
from molae.types import Encoding


class EncoderConfig(Config):
    """Configuration of an encoder.

    Attributes:
        width: Scalar channels of a node.
        vectors: Vector channels of a node that messages make.
        layers: Rounds of messages of the equivariant trunk.
        frame: How two vectors become a rotation.
        head_width: Channels of the code head.
        head_depth: Residual blocks of the code head.
        odd_share: Share of the code's channels that are pseudo-scalars. With 0 the group is E(3) × S_n:
            mirror images are the same. Graphs without coordinates have no mirror images, and so no such
            channels whatever the share.
        summary: The smooth first channels of the code (see `molae.nn.summary`), or None for none.
    """

    width: int = 64
    vectors: int = 8
    layers: int = 0
    frame: Literal["lowdin", "gram_schmidt"] = "lowdin"
    head_width: int = 512
    head_depth: int = 2
    odd_share: float = 0.25
    summary: SummaryConfig | None = None


class Encoder(nn.Module):
    """Base of the encoders for G = SE(3) × S_n, or G = S_n for graphs without coordinates.

    The code has an even part (`0e`), which a mirror image shares, and an odd part (`0o`), whose sign it
    flips. Whatever network η a subclass brings, with x̄ the mirror image of x, the parts

        even = (η(x) + η(x̄)) / 2,    odd = (η(x) - η(x̄)) / 2

    are so exactly. Without coordinates there is no mirror image: the code is η, all of it even, and neither
    `vectors` nor `frame` of the configuration has a use.

    A summary, where there is one, comes first: it needs neither order nor pose.

    Args:
        config: Configuration.
        schema: What the graphs carry.
        aligner: Predicts the permutation (see `molae.align`).
        code_size: Channels of the code.

    Attributes:
        reads_slots: Whether the code depends on the predicted slots.
        reads_ranks: Whether the graphs must have the ranks `tie` of their nodes.
        own: Even and odd channels that the subclass brings.
        channels: Channels of the whole code: the summary, then `own`.

    Raises:
        ConfigError: If the code would not be invariant with this aligner, or has no room for the summary.
    """

    reads_slots = True

    def __init__(self, config: EncoderConfig, schema: Schema, aligner: nn.Module, code_size: int) -> None:
        super().__init__()
        self._check(config, aligner)
        self.summary = Summary(config.summary, schema) if config.summary else None
        self.summary_size = config.summary.size if config.summary else 0
        if self.summary_size >= code_size:
            raise ConfigError(f"a summary of {self.summary_size} leaves nothing of a code of {code_size}")
        self.aligner = aligner
        self.trunk = EquivariantTrunk(
            schema, config.width, config.vectors, config.layers, ties=config.layers > 0
        )
        self.reads_ranks = self.trunk.ties is not None
        self.coordinates = schema.coordinates
        own_size = code_size - self.summary_size
        self.odd_size = round(config.odd_share * own_size) if schema.coordinates else 0
        self.even_size = own_size - self.odd_size
        self.own = CodeChannels(0, self.even_size, self.odd_size)
        self.channels = self.own._replace(summary=self.summary_size)

    def _check(self, config: EncoderConfig, aligner: nn.Module) -> None:
        name = type(aligner).__name__
        if self.reads_slots and not getattr(aligner, "predicts", True):
            raise ConfigError(
                f"{type(self).__name__} reads the slots of the nodes, which {name} does not know before "
                "anything is decoded: take the encoder 'pooled', or another aligner"
            )
        if config.layers == 0 and getattr(aligner, "reads_features", False):
            raise ConfigError(
                f"{name} tells nodes apart by their features, but the encoder has no layers to make them: "
                "set its `layers` to 1 or more"
            )

    @abstractmethod
    def pose(self, features: NodeFeatures, permutation: Tensor, batch: DenseBatch) -> tuple[Tensor, Tensor]:
        """Returns rotations (b 3 3) and how well they are determined, 0 to 1 (b)."""

    @abstractmethod
    def code(self, features: NodeFeatures, action: GroupAction, batch: DenseBatch) -> Float[Tensor, "b d"]:
        """Returns η: a code of g⁻¹x, the channels of `own`."""

    def linear_lanes(self) -> LinearLanes | None:
        """What the lanes of slots are the sum of, for encoders that are so simple (see `molae.nn.linear`)."""
        return None

    def forward(self, batch: DenseBatch) -> Encoding:
        """Encodes a batch.

        Args:
            batch: Graphs, with positions in Å where the schema has coordinates.
        Returns:
            Code, group element and the losses that teach it.
        """
        encoding = self._encode_both(batch) if self.coordinates else Encoding(*self._encode(batch))
        if self.summary is None:
            return encoding
        code = encoding.invariant
        return encoding._replace(invariant=torch.cat([self.summary(batch).to(code.dtype), code], dim=1))

    def _encode_both(self, batch: DenseBatch) -> Encoding:
        """Encodes the graphs and their mirror images, for the parts of even and odd parity."""
        eta, action, losses = self._encode(_with_mirror_images(batch))
        even, odd = eta.split([self.even_size, self.odd_size], dim=1)
        (even, even_mirror), (odd, odd_mirror) = even.chunk(2), odd.chunk(2)
        code = torch.cat([(even + even_mirror) / 2, (odd - odd_mirror) / 2], dim=1)
        first = len(batch)
        return Encoding(code, _take(action, first), {name: term[:first] for name, term in losses.items()})

    @full_precision
    def _find_pose(self, features: NodeFeatures, permutation: Tensor, batch: DenseBatch) -> GroupAction:
        if features.centre is None:
            return GroupAction(permutation)
        vectors = features.vectors.to(features.centre.dtype)
        rotation, degeneracy = self.pose(features._replace(vectors=vectors), permutation, batch)
        return GroupAction(permutation, rotation, features.centre, {"degeneracy": degeneracy})

    def _encode(self, batch: DenseBatch) -> tuple[Tensor, GroupAction, dict[str, Tensor]]:
        """Finds g, then encodes g⁻¹x."""
        features = self.trunk(batch)
        permutation, losses = self.aligner(features.scalars, batch)
        action = self._find_pose(features, permutation, batch)
        return self.code(features, action, batch), action, losses


@full_precision
def positions_in_frame(features: NodeFeatures, action: GroupAction) -> Float[Tensor, "b m 3"]:
    """Positions of the nodes in the predicted frame, in Å; 0 at padding."""
    if action.rotation is None:
        raise ValueError("the action of an encoder with positions must have a rotation")
    return features.vectors[:, :, 0].to(action.rotation.dtype) @ action.rotation


def _with_mirror_images(batch: DenseBatch) -> DenseBatch:
    """The batch followed by the mirror image of each of its graphs."""
    mirrored = batch.mirrored()
    pairs = {f.name: (getattr(batch, f.name), getattr(mirrored, f.name)) for f in fields(batch)}
    return replace(batch, **{name: torch.cat(pair) for name, pair in pairs.items() if pair[0] is not None})


def _take(action: GroupAction, count: int) -> GroupAction:
    """The actions of the first `count` graphs."""
    if action.rotation is None or action.translation is None:
        raise ValueError("the action of an encoder with positions must have a rotation and a translation")
    figures = {name: figure[:count] for name, figure in action.diagnostics.items()}
    return GroupAction(
        action.permutation[:count], action.rotation[:count], action.translation[:count], figures
    )


ENCODERS: Registry[Encoder] = Registry("encoder")
