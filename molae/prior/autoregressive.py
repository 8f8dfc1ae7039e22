"""A causal transformer over the lanes of codes, slot by slot.

Each slot of a code has channels of its own (`molae.nn.lanes`), which tell of its node and of its edges, and
the slots come in canonical order. What slots hold is nearly discrete: the lanes are quantised to a few
tokens each, and a transformer learns how likely the tokens of a slot are, given those of the slots ahead of
it (Esser et al. 2021, arXiv:2012.09841; Lee et al. 2022, arXiv:2203.01941). The other channels of a code take
the mean: the decoder rebuilds a graph from the lanes alone.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from molae.batch.samplers import BucketSampler
from molae.errors import ConfigError
from molae.nn.sequence import SequenceModel
from molae.prior.base import PRIORS, CodeSpace, Prior, Progress, check_codes
from molae.prior.quantiser import ResidualQuantiser
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
        tokens: Most different tokens of a level.
        levels: Tokens of a slot.
        width: Channels of a slot in the network.
        layers: Layers of attention.
        heads: Attention heads; they must divide `width`.
        temperature: What the scores of tokens are divided by when codes are drawn: below 1, what is likely
            comes more often, and draws are less varied.
        steps: Steps of training.
        batch_size: Codes of a step.
        learning_rate: Highest learning rate.
        weight_decay: Weight decay of AdamW.
    """

    tokens: PositiveInt = 1024
    levels: PositiveInt = 2
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
    """Draws the lanes of a code one after the other. A density is that of the lanes of all nodes, times the
    probability of their number: the lanes are taken for sums of centres, to which a normal distribution adds
    what the nearest sum leaves; farther ones do not count, so it is a lower bound.

    Args:
        config: Configuration.
        space: What the codes are like.
    Raises:
        ConfigError: If no slot has channels of its own, or the heads do not divide the width.
    """

    def __init__(self, config: AutoregressiveConfig, space: CodeSpace) -> None:
        if not space.lanes.size:
            raise ConfigError(
                "prior 'autoregressive': in the codes of this model no node has channels of its own:"
                " use 'mixture', or a model with a larger code_size"
            )
        if config.width % config.heads:
            raise ConfigError(
                f"[prior.autoregressive] heads: {config.heads} do not divide width {config.width}"
            )
        self.config, self.space = config, space
        self._quantiser = ResidualQuantiser(config.tokens, config.levels)

    def fit(self, codes: Float[np.ndarray, "g d"], seed: int = 0, progress: Progress | None = None) -> None:
        codes, sizes = self._checked(codes)
        lanes, filled = self._lanes(codes), _filled(sizes, self.space.lanes.slots)
        self._quantiser.fit(lanes[filled], seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build()
        self._learn(codes, sizes, self.config.steps, self.config.learning_rate, seed, progress)

    def adapt(
        self,
        codes: Float[np.ndarray, "g d"],
        seed: int = 0,
        progress: Progress | None = None,
        steps: int | None = None,
    ) -> None:
        codes, sizes = self._checked(codes)
        few = max(_LEAST_STEPS, math.ceil(_EPOCHS * len(codes) / self.config.batch_size))
        rate = self.config.learning_rate * (_SLOWER if steps is None else 1)
        self._learn(codes, sizes, few if steps is None else steps, rate, seed, progress)

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
        generator = torch.Generator(self.space.device).manual_seed(seed)
        layout = self.space.lanes
        found = np.empty((n, len(self._centre)), dtype=np.float32)
        held = layout.join(torch.ones(1, layout.slots, layout.size)).bool()
        for start in range(0, n, _AT_ONCE):
            drawn = self._network.draw(min(_AT_ONCE, n - start), generator, self.config.temperature)
            tokens, sizes = (part.cpu() for part in drawn)
            lanes = self._quantiser.vectors(tokens) * _filled(sizes.numpy(), layout.slots).unsqueeze(2)
            found[start : start + len(lanes)] = layout.join(lanes).where(held, self._centre).numpy()
        return found

    def log_prob(self, codes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        codes = np.asarray(codes, dtype=np.float32)
        sizes, lanes, found = self.space.count(codes), self._lanes(codes), np.empty(len(codes))
        for start in range(0, len(codes), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            filled = _filled(sizes[part], lanes.shape[1])
            tokens = self._tokens(lanes[part], sizes[part])
            with torch.inference_mode():
                chance = self._network(*self._batch(tokens, sizes[part])).double().cpu()
            off = (lanes[part] - self._quantiser.vectors(tokens)) * filled.unsqueeze(2)
            found[part] = chance.numpy() + self._log_normal(off, sizes[part])
        return found

    def state(self) -> dict[str, Tensor]:
        parts = {"network": self._network.state_dict(), "quantiser": self._quantiser.state()}
        learned = {
            f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()
        }
        return learned | {"centre": self._centre}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._centre = state["centre"]
        self._quantiser.restore(_part(state, "quantiser."))
        self._build()
        self._network.load_state_dict(_part(state, "network."))
        self._network.eval()

    def _build(self) -> None:
        config = self.config
        self._network = SequenceModel(
            self._quantiser.centres,
            self.space.lanes.slots,
            width=config.width,
            layers=config.layers,
            heads=config.heads,
        ).to(self.space.device)

    def _lanes(self, codes: Float[np.ndarray, "g d"]) -> Float[Tensor, "g s l"]:
        return self.space.lanes.split(torch.from_numpy(codes))

    def _tokens(self, lanes: Float[Tensor, "g s l"], sizes: Int[np.ndarray, " g"]) -> Int[Tensor, "g s k"]:
        """Tokens of lanes; 0 in empty slots."""
        filled = _filled(sizes, lanes.shape[1])
        tokens = torch.zeros(*filled.shape, self.config.levels, dtype=torch.int64)
        tokens[filled] = self._quantiser.tokens(lanes[filled])
        return tokens

    def _batch(
        self, tokens: Int[Tensor, "b s l"], sizes: Int[np.ndarray, " b"]
    ) -> tuple[Int[Tensor, "b m l"], Int[Tensor, " b"]]:
        """Tokens of as many slots as the largest graph fills."""
        device = self.space.device
        return tokens[:, : int(sizes.max())].to(device), torch.from_numpy(sizes).to(device)

    def _log_normal(
        self, off: Float[Tensor, "b s l"], sizes: Int[np.ndarray, " b"]
    ) -> Float[np.ndarray, " b"]:
        """Logarithm of the density of what quantisation leaves; 0 in empty slots."""
        # Where nothing is left, a deviation of zero would have no density.
        deviation = max(self._quantiser.remainder.item(), torch.finfo(torch.float32).eps)
        normal = -0.5 * (off.double() / deviation).square().sum((1, 2)).numpy()
        return normal - sizes * off.shape[2] * math.log(deviation * math.sqrt(2 * math.pi))

    def _checked(self, codes: Float[np.ndarray, "g d"]) -> tuple[np.ndarray, np.ndarray]:
        """Codes that can be learned from, and how many nodes each has."""
        codes = check_codes(codes, least=2)
        sizes = self.space.count(codes)
        if not sizes.any():
            raise ConfigError("codes: all decode to graphs without nodes")
        return codes, sizes

    def _learn(
        self,
        codes: Float[np.ndarray, "g d"],
        sizes: Int[np.ndarray, " g"],
        steps: int,
        learning_rate: float,
        seed: int,
        progress: Progress | None,
    ) -> None:
        """Trains the network on codes, from where it is, and takes their mean."""
        self._centre = torch.from_numpy(codes.mean(axis=0, dtype=np.float64).astype(np.float32))
        tokens = self._tokens(self._lanes(codes), sizes)
        weights = list(self._network.train().parameters())
        sampler = BucketSampler(sizes, self.config.batch_size, seed)
        optimizer = torch.optim.AdamW(
            weights, learning_rate, betas=_BETAS, weight_decay=self.config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, learning_rate, total_steps=steps + 1, pct_start=_WARM_UP, cycle_momentum=False
        )
        told = time.monotonic()
        for step in range(steps):
            chosen = sampler.batch(step)
            batch, lengths = self._batch(tokens[chosen], sizes[chosen])
            with torch.autocast(self.space.device.type, torch.bfloat16):
                loss = -self._network(batch, lengths).sum() / lengths.sum()
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


def _filled(sizes: Int[np.ndarray, " b"], slots: int) -> Tensor:
    """Which slots have a node, shape (b, slots)."""
    return torch.arange(slots) < torch.from_numpy(sizes).unsqueeze(1)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
