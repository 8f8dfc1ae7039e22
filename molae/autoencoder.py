"""The autoencoder: encoder, decoder and aligner joined by the group element.

code, g = encoder(x)            molae.encoder   (the permutation of g is predicted in molae.align)
x̂ = decoder(code)               molae.decoder
loss(g · x̂, x)                  molae.loss      (what is asked of the code besides: molae.regularise)
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from molae.align import ALIGNERS
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.decoder import DECODERS
from molae.decoder.proofread import proofread
from molae.encoder import ENCODERS
from molae.groups.action import GroupAction
from molae.loss.reconstruction import (
    Aligned,
    LossConfig,
    align,
    node_costs,
    reconstruction_figures,
    reconstruction_terms,
)
from molae.nn.summary import TargetHead
from molae.registry import Config
from molae.regularise import REGULARISERS, Context
from molae.types import Decoded, Encoding


class AutoencoderConfig(Config):
    """Configuration of an autoencoder; `name` in a section picks the component from its registry.

    Attributes:
        code_size: Channels of the code.
        encoder: Encoder and its configuration.
        aligner: Aligner and its configuration.
        decoder: Decoder and its configuration.
        loss: Weights of the loss.
        regulariser: Regulariser of the code and its configuration; none unless told.
        mirror: Share of the training batches that are replaced by their mirror images; graphs without
            coordinates have none.
    """

    code_size: int = 256
    encoder: dict[str, Any] = Field(default_factory=lambda: {"name": "slots"})
    aligner: dict[str, Any] = Field(default_factory=lambda: {"name": "canonical"})
    decoder: dict[str, Any] = Field(default_factory=lambda: {"name": "slots"})
    loss: LossConfig = LossConfig()
    regulariser: dict[str, Any] | None = None
    mirror: float = 0.5


class Autoencoder(nn.Module):
    """Molecules, or other graphs, to invariant codes and back.

    Args:
        config: Configuration.
        schema: What the graphs carry.
    """

    def __init__(self, config: AutoencoderConfig, schema: Schema) -> None:
        super().__init__()
        self.config = config
        self.schema = schema
        width = ENCODERS.config(config.encoder).width  # type: ignore[attr-defined]
        self.aligner = ALIGNERS.build(config.aligner, schema, width)
        self.encoder = ENCODERS.build(config.encoder, schema, self.aligner, config.code_size)
        self.decoder = DECODERS.build(config.decoder, schema, self.encoder.channels)
        taught = schema.targets and self.encoder.summary_size
        self.targets = TargetHead(self.encoder.summary_size, len(schema.targets)) if taught else None
        self.regulariser = None
        if config.regulariser is not None:
            self.regulariser = REGULARISERS.build(
                config.regulariser, self.encoder.channels, self.encoder.summary
            )

    def encode(self, batch: DenseBatch) -> Encoding:
        """Encodes a batch (see `molae.encoder.Encoder.forward`)."""
        return self.encoder(batch)

    def decode(self, code: Float[Tensor, "b d"], slots: int | None = None) -> Decoded:
        """Decodes codes (see `molae.decoder.Decoder.forward`), all slots unless told fewer."""
        return self.decoder(code, self.schema.max_nodes if slots is None else slots)

    @torch.no_grad()
    def read(self, code: Float[Tensor, "b d"]) -> Decoded:
        """Decodes codes on all slots, and mends what does not have the code it was decoded from, where that
        can be told (see `molae.decoder.proofread`)."""
        decoded = self.decode(code)
        linear = self.encoder.linear_lanes()
        if linear is None:
            return decoded
        reversal = self.schema.reversed_pair
        return proofread(decoded, code, linear, None if reversal is None else reversal.categories)

    def forward(self, batch: DenseBatch) -> dict[str, Tensor]:
        """The same as `loss`, so that wrappers which call the module train it."""
        return self.loss(batch)

    def loss(
        self, batch: DenseBatch, generator: torch.Generator | None = None, step: int | None = None
    ) -> dict[str, Tensor]:
        """Measures the reconstruction of a batch, and its codes where there is a regulariser.

        Args:
            batch: The graphs.
            generator: Decides which batches are mirrored, and gives the noise on the code and the views that
                a regulariser compares; there is none of these without it.
            step: Number of the training step, by which terms of the regulariser are weighed; None for after
                all its schedules.
        Returns:
            `loss`, the mean over the graphs of the sum of all terms; and the mean of each term.
        """
        if (
            generator is not None
            and self.schema.coordinates
            and torch.rand((), generator=generator, device=generator.device) < self.config.mirror
        ):
            batch = batch.mirrored()
        encoding, aligned, _ = self._reconstruct(batch, generator)
        terms = {**self._terms(encoding, aligned, batch), **encoding.losses}
        if self.regulariser is not None:
            told = Context(encoding.invariant, step, batch, self.encoder.summary, generator)
            added = self.regulariser(told)
            if taken := terms.keys() & added.keys():
                raise ValueError(f"terms of the regulariser have names of others: rename {sorted(taken)}")
            terms |= added
        means = {name: term.mean() for name, term in terms.items()}
        return {"loss": torch.stack(list(means.values())).sum(), **means}

    @torch.no_grad()
    def evaluate(self, batch: DenseBatch) -> dict[str, Tensor]:
        """Compares reconstructions with their inputs, graph by graph: `loss`, the sum of the terms that are
        trained, `targets`, the term of what the summary is taught, and the figures of
        `reconstruction_figures`."""
        encoding, aligned, _ = self._reconstruct(batch)
        terms = self._terms(encoding, aligned, batch)
        loss = torch.stack(list(terms.values())).sum(0)
        taught = {name: term for name, term in terms.items() if name == "targets"}
        return {**reconstruction_figures(aligned, batch.sizes), **taught, "loss": loss}

    @torch.no_grad()
    def reconstruct(self, batch: DenseBatch) -> tuple[Encoding, Decoded, GroupAction]:
        """Encodes and decodes a batch.

        Returns:
            The encoding; what was decoded from its code alone, on all slots; and the action that moves the
            decoded graph onto the input.
        """
        encoding, _, action = self._reconstruct(batch)
        return encoding, self.read(encoding.invariant), action

    def _terms(self, encoding: Encoding, aligned: Aligned, batch: DenseBatch) -> dict[str, Tensor]:
        """All terms of the loss but those that teach the action, one value for each graph."""
        terms = reconstruction_terms(aligned, batch.sizes, self.config.loss)
        if self.targets is not None and batch.targets is not None:
            summary = encoding.invariant[:, : self.encoder.summary_size]
            terms["targets"] = self.config.loss.targets * self.targets.loss(summary, batch.targets)
        return terms

    def _reconstruct(
        self, batch: DenseBatch, generator: torch.Generator | None = None
    ) -> tuple[Encoding, Aligned, GroupAction]:
        """Encodes, decodes and aligns; with a generator the code is decoded with the regulariser's noise."""
        encoding = self.encode(batch)
        code = encoding.invariant
        if generator is not None and self.regulariser is not None:
            code = self.regulariser.perturb(code, generator)
        decoded = self.decode(code, batch.mask.shape[1])
        costs = partial(node_costs, decoded, encoding.action, batch, self.config.loss)
        action = self.aligner.match(encoding.action, costs, batch)
        return encoding, align(decoded, action, batch), action
