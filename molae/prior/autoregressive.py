"""A causal transformer over graphs in canonical order, node by node, each with its edges to nodes ahead.

Codes hold graphs exactly, and the order makes a sequence of a graph. So the distribution of codes is learned
as that of the graphs that they decode to: how likely each token of a graph is, given those ahead of it, as
language models of SMILES do (Segler et al. 2018, arXiv:1701.01329) and autoregressive models of graphs (Li et
al. 2018, arXiv:1803.03324). What is drawn is a graph, and its code is the one that the encoder gives it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from molae.batch.samplers import BucketSampler
from molae.errors import ConfigError
from molae.nn.sequence import GraphSequence
from molae.prior.alphabet import Alphabet
from molae.prior.base import PRIORS, CodeSpace, OrderedGraph, Prior, Progress, check_codes
from molae.registry import Config

logger = logging.getLogger("molae.prior")

# Codes that are drawn or judged at once.
_AT_ONCE = 512
# Share of the steps in which the learning rate rises.
_WARM_UP = 0.05
_BETAS = (0.9, 0.98)
_CLIP = 1.0
# To adapt to other codes: passes over them, fewest steps, and by how much they are smaller.
_EPOCHS, _LEAST_STEPS, _SLOWER = 10, 8, 0.3
_LINE_SECONDS = 30.0


class AutoregressiveConfig(Config):
    """Configuration of the autoregressive prior.

    Attributes:
        width: Channels of a node in the network.
        layers: Layers of attention.
        heads: Attention heads; they must divide `width`.
        temperature: What the scores of tokens are divided by when codes are drawn: below 1, what is likely
            comes more often, and draws are less varied.
        steps: Steps of training.
        batch_size: Codes of a step.
        learning_rate: Highest learning rate.
        weight_decay: Weight decay of AdamW.
    """

    width: PositiveInt = 192
    layers: PositiveInt = 4
    heads: PositiveInt = 4
    temperature: PositiveFloat = 1.0
    steps: PositiveInt = 2000
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.01


@PRIORS.register("autoregressive", AutoregressiveConfig)
class AutoregressivePrior(Prior):
    """Draws graphs node by node. Its densities are probabilities of the graphs that codes decode to.

    Args:
        config: Configuration.
        space: What the codes are like.
    Raises:
        ConfigError: If graphs carry positions or continuous attributes, or the heads do not divide the width.
    """

    def __init__(self, config: AutoregressiveConfig, space: CodeSpace) -> None:
        schema = space.schema
        if schema.coordinates or schema.numbers or schema.edge_numbers:
            raise ConfigError(
                "prior 'autoregressive' draws nodes and edges with labels alone, but the graphs of this model"
                f" carry {'positions' if schema.coordinates else 'continuous attributes'}: use 'mixture'"
            )
        if config.width % config.heads:
            raise ConfigError(
                f"[prior.autoregressive] heads: {config.heads} do not divide width {config.width}"
            )
        self.config, self.space = config, space
        self._alphabet = Alphabet(schema.edge_types, schema.max_nodes)

    def fit(self, codes: Float[np.ndarray, "g d"], seed: int = 0, progress: Progress | None = None) -> None:
        graphs = self._read(codes)
        self._alphabet.fit(graphs)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build()
        self._learn(graphs, self.config.steps, self.config.learning_rate, seed, progress)

    def adapt(
        self,
        codes: Float[np.ndarray, "g d"],
        seed: int = 0,
        progress: Progress | None = None,
        steps: int | None = None,
    ) -> None:
        few = max(_LEAST_STEPS, math.ceil(_EPOCHS * len(codes) / self.config.batch_size))
        rate = self.config.learning_rate * (_SLOWER if steps is None else 1)
        self._learn(self._read(codes), few if steps is None else steps, rate, seed, progress)

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        generator = torch.Generator(self.space.device).manual_seed(seed)
        found = []
        for start in range(0, n, _AT_ONCE):
            drawn = self._network.draw(min(_AT_ONCE, n - start), generator, self.config.temperature)
            tokens, sizes = (part.cpu().numpy() for part in drawn)
            graphs = [
                self._alphabet.graph(each[:size], self._back)
                for each, size in zip(tokens, sizes, strict=True)
            ]
            found.append(self.space.write(graphs))
        return np.concatenate(found)

    def log_prob(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        graphs = self.space.read(np.asarray(codes, dtype=np.float32))
        tokens = enumerate(map(self._alphabet.tokens, graphs))
        known = {place: each for place, each in tokens if each is not None}
        found, places = np.full(len(codes), -np.inf), list(known)
        for start in range(0, len(places), _AT_ONCE):
            chosen = places[start : start + _AT_ONCE]
            with torch.inference_mode():
                chance = self._network(*self._batch([known[place] for place in chosen]))
            found[chosen] = chance.double().cpu().numpy()
        return found

    def state(self) -> dict[str, Tensor]:
        parts = {"network": self._network.state_dict(), "alphabet": self._alphabet.state()}
        return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._alphabet.restore(_part(state, "alphabet."))
        self._build()
        self._network.load_state_dict(_part(state, "network."))
        self._network.eval()

    @property
    def _back(self) -> Int[np.ndarray, " t"]:
        """Each category of a pair as seen from its other node."""
        reversal = self.space.schema.reversed_pair
        return np.arange(self.space.schema.edge_types) if reversal is None else np.array(reversal.categories)

    def _build(self) -> None:
        config = self.config
        self._network = GraphSequence(
            self._alphabet.features,
            self.space.schema.edge_types - 1,
            self.space.schema.max_nodes,
            self._alphabet.most_edges,
            width=config.width,
            layers=config.layers,
            heads=config.heads,
        ).to(self.space.device)

    def _read(self, codes: Float[np.ndarray, "g d"]) -> list[OrderedGraph]:
        """The graphs of codes that can be learned from."""
        graphs = list(self.space.read(check_codes(codes, least=2)))
        if not any(len(graph.nodes) for graph in graphs):
            raise ConfigError("codes: all decode to graphs without nodes")
        return graphs

    def _batch(
        self, tokens: Sequence[Int[np.ndarray, "n l"]]
    ) -> tuple[Int[Tensor, "b m l"], Int[Tensor, " b"]]:
        """Sequences, padded to the longest, and their lengths."""
        lengths = [len(each) for each in tokens]
        padded = np.zeros((len(tokens), max(lengths), 1 + self._alphabet.most_edges), dtype=np.int64)
        for row, each in zip(padded, tokens, strict=True):
            row[: len(each)] = each
        device = self.space.device
        return torch.from_numpy(padded).to(device), torch.tensor(lengths, device=device)

    def _learn(
        self,
        graphs: Sequence[OrderedGraph],
        steps: int,
        learning_rate: float,
        seed: int,
        progress: Progress | None,
    ) -> None:
        """Trains the network on graphs, from where it is."""
        tokens = self._known(graphs)
        weights = list(self._network.train().parameters())
        sampler = BucketSampler(np.array([len(each) for each in tokens]), self.config.batch_size, seed)
        optimizer = torch.optim.AdamW(
            weights, learning_rate, betas=_BETAS, weight_decay=self.config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, learning_rate, total_steps=steps + 1, pct_start=_WARM_UP, cycle_momentum=False
        )
        told = time.monotonic()
        for step in range(steps):
            batch, lengths = self._batch([tokens[place] for place in sampler.batch(step)])
            with torch.autocast(self.space.device.type, torch.bfloat16):
                loss = -self._network(batch, lengths).sum() / lengths.sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, _CLIP)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(1, steps)
            if time.monotonic() - told > _LINE_SECONDS:
                told = time.monotonic()
                logger.info("prior: step %d of %d: %.3f nats a node", step + 1, steps, loss.item())
        self._network.eval()

    def _known(self, graphs: Sequence[OrderedGraph]) -> list[Int[np.ndarray, "n l"]]:
        """The tokens of graphs, less those with nodes of kinds that the fit had not seen."""
        found = [self._alphabet.tokens(graph) for graph in graphs]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            logger.warning(
                "prior: %d of %d graphs left out: they have nodes unlike all that the prior was fitted to",
                len(found) - len(known),
                len(found),
            )
        if not known:
            raise ConfigError("codes: no graph is made of nodes like those that the prior was fitted to")
        return known


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
