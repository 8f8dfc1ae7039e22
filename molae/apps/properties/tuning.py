"""Fine-tuning: networks taught the property itself, which start from the summary of a model.

The summary alone is small. It starts as it was trained, its head as the ridge regression on the frozen
summary, so that before the first step nothing is lost. It knows nothing of positions: where the model reads
them, networks on distances are trained besides, from what nodes know of their surroundings in the frozen
summary.

One network is trained for each fold of the training molecules, on the others; predictions are averaged over
the networks, and with the model of frozen features. How long to train and how much the networks count follow
from the molecules that each was not trained on, two numbers from all of them, so that the errors of these
still tell what to expect. Where there are very many molecules, two networks are enough, and few molecules to
judge each.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from molae.apps.properties.heads import fit_ridge
from molae.apps.properties.packing import unpack_graphs
from molae.apps.properties.splits import folds
from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.nn.spatial import SpatialReadout
from molae.nn.summary import Summary, SummaryConfig

logger = logging.getLogger("molae.apps")

Kind = Literal["summary", "distances"]
"""What is trained: the network of the summary, or one on distances."""
MANY = 20_000
"""Of more molecules, few networks are trained, in larger batches."""
MOST_MOLECULES = 200_000
"""Of more molecules, so many random ones are trained on."""

_EPOCHS = 24
_EPOCHS_BETWEEN = 4  # after so many, networks are tried on what they have not seen
_BATCH, _BATCH_OF_MANY = 32, 128
_FOLDS_OF_MANY, _NETWORKS_OF_MANY = 20, 2
_RATES: dict[Kind, float] = {"summary": 5e-4, "distances": 1e-3}
_AVERAGED = 0.98  # decay of the averaged weights, which are the ones that predict
_SHARES = (0.25, 0.5, 0.75, 1.0)
_ROWS_AT_ONCE = 256


def kinds(schema: Schema, count: int) -> tuple[Kind, ...]:
    """What is trained on so many molecules; of very many, distances teach what the summary would."""
    if not schema.coordinates:
        return ("summary",)
    return ("distances",) if count > MANY else ("summary", "distances")


class TunedSummary(nn.Module):
    """A summary and a linear function of it, standardised.

    Args:
        summary: The network of the summary.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, summary: Summary) -> None:
        super().__init__()
        self.summary = summary
        self.register_buffer("centre", torch.zeros(summary.config.size))
        self.register_buffer("scale", torch.ones(summary.config.size))
        self.head = nn.Linear(summary.config.size, 1)

    def forward(self, batch: DenseBatch) -> Float[Tensor, " b"]:
        """Predicts the property, standardised."""
        return self.head((self.summary(batch) - self.centre) / self.scale).squeeze(1)

    @torch.no_grad()
    def start(self, graphs: UInt8[np.ndarray, "n p"], target: Float[np.ndarray, " n"]) -> None:
        """Sets the head to the ridge regression on frozen summaries."""
        summaries = _apply(self.summary, graphs, self.summary.schema)
        deviation = summaries.std(axis=0)
        centre, scale = summaries.mean(axis=0), np.where(deviation > 1e-6, deviation, 1.0)
        found = fit_ridge((summaries - centre) / scale, target)
        for tensor, values in (
            (self.centre, centre),
            (self.scale, scale),
            (self.head.weight, found.weights.T),
            (self.head.bias, found.bias),
        ):
            tensor.copy_(torch.from_numpy(np.asarray(values)))


class TunedDistances(nn.Module):
    """A network on distances, on what nodes know in a summary, which stays as it is.

    Args:
        summary: The network of the summary.
    """

    def __init__(self, summary: Summary) -> None:
        super().__init__()
        self.summary = summary.requires_grad_(False)
        self.spatial = SpatialReadout(summary.config.width, summary.schema)

    def forward(self, batch: DenseBatch) -> Float[Tensor, " b"]:
        """Predicts the property, standardised."""
        return self.spatial(self.summary.nodes(batch), batch)

    def start(self, graphs: UInt8[np.ndarray, "n p"], target: Float[np.ndarray, " n"]) -> None:
        """Nothing: a start that distances know nothing of only hinders."""


_NETWORKS: dict[Kind, type[TunedSummary] | type[TunedDistances]] = {
    "summary": TunedSummary,
    "distances": TunedDistances,
}


@dataclass(frozen=True)
class TunedNetworks:
    """Fine-tuned networks, whose mean is joined with the score of frozen features.

    Attributes:
        kind: What they are.
        share: How much the networks count, 0 to 1.
        epochs: Passes over the molecules that they were trained for.
        mean: Mean of the target.
        deviation: Standard deviation of the target.
        config: Configuration of the summary.
        schema: What the graphs carry.
        weights: Weights by name, those of all networks stacked; of those that all have in common one alone.
    """

    kind: Kind
    share: float
    epochs: int
    mean: float
    deviation: float
    config: SummaryConfig
    schema: Schema
    weights: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return max(map(len, self.weights.values()))

    def join(self, scores: Float[np.ndarray, "n 1"], graphs: UInt8[np.ndarray, "n p"]) -> np.ndarray:
        """The scores of frozen features, joined with what the networks say of the graphs."""
        return (1 - self.share) * scores + self.share * self._scores(graphs)[:, None]

    def _scores(self, graphs: np.ndarray) -> np.ndarray:
        network = _NETWORKS[self.kind](Summary(self.config, self.schema)).eval()
        found = np.zeros(len(graphs))
        for number in range(len(self)):
            own = {name: values[min(number, len(values) - 1)] for name, values in self.weights.items()}
            network.load_state_dict({name: torch.from_numpy(values) for name, values in own.items()})
            found += _apply(network, graphs, self.schema) / len(self)
        return self.mean + self.deviation * found

    def described(self) -> dict[str, Any]:
        """All but the weights, as JSON can hold it."""
        return {
            **{name: getattr(self, name) for name in ("kind", "share", "epochs", "mean", "deviation")},
            "config": self.config.model_dump(mode="json"),
            "schema": self.schema.model_dump(mode="json"),
        }

    @classmethod
    def from_described(cls, described: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> Self:
        """The networks that `described` and `weights` tell of."""
        own = dict(described)
        config, schema = SummaryConfig(**own.pop("config")), Schema(**own.pop("schema"))
        return cls(**own, config=config, schema=schema, weights=weights)


class Tuning(NamedTuple):
    """What came of fine-tuning.

    Attributes:
        networks: The networks, or None if molecules that were held out are predicted no better with them.
        scores: What networks and frozen features together say of the training molecules.
        judged: Which of these are told by networks, if at all, that were not trained on them.
    """

    networks: TunedNetworks | None
    scores: Float[np.ndarray, "n 1"]
    judged: Bool[np.ndarray, " n"]


class _Snapshot(NamedTuple):
    """What a fold was like after some epochs: its predictions, and the weights that made them."""

    held: np.ndarray
    weights: dict[str, Tensor]


def fine_tune(
    network: Summary,
    kind: Kind,
    graphs: UInt8[np.ndarray, "n p"],
    target: Float[np.ndarray, " n"],
    groups: np.ndarray,
    held_scores: Float[np.ndarray, "n 1"],
    count: int,
    seed: int,
) -> Tuning:
    """Fine-tunes a network for each fold; of very many molecules, two.

    Args:
        network: The network of the summary, which stays as it is.
        kind: What to train.
        graphs: Packed graphs of the training molecules.
        target: Values, or 0 and 1 for two classes.
        groups: Group of each molecule; molecules of one group are held out together.
        held_scores: What models of frozen features say of each molecule, fitted without its fold.
        count: Number of folds.
        seed: Seed of the order of the molecules, and of what networks on distances start from.
    Returns:
        The networks, and the joined scores of molecules held out.
    """
    mean, deviation = float(target.mean()), float(target.std()) or 1.0
    aim = (target - mean) / deviation
    start = copy.deepcopy(network).cpu().float()
    many = len(target) > MANY
    parts = list(folds(groups, _FOLDS_OF_MANY))[:_NETWORKS_OF_MANY] if many else list(folds(groups, count))
    runs: list[list[_Snapshot]] = []
    for number, (fitted, held) in enumerate(parts):
        logger.info("fine-tuning network %d of %d (%s)", number + 1, len(parts), kind)
        random = np.random.default_rng((seed, number))
        if len(fitted) > MOST_MOLECULES:
            fitted = np.sort(random.permutation(fitted)[:MOST_MOLECULES])
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(int(random.integers(2**31)))
            tuned = _NETWORKS[kind](copy.deepcopy(start))
        tuned.start(graphs[fitted], aim[fitted])
        training = _Training(graphs[fitted], aim[fitted], _BATCH_OF_MANY if many else _BATCH, _RATES[kind])
        runs.append(
            [
                _Snapshot(_apply(each, graphs[held], start.schema), _state(each))
                for each in _train(tuned, training, start.schema, random)
            ]
        )
    found = np.full((len(runs[0]), len(target)), np.nan)
    for (_, held), run in zip(parts, runs, strict=True):
        found[:, held] = [mean + deviation * snapshot.held for snapshot in run]
    judged = np.isfinite(found[0])
    place, share = _choose(found[:, judged], held_scores[judged, 0], target[judged])
    if not share:
        logger.info("fine-tuning (%s) does not help on molecules held out: it is left out", kind)
        return Tuning(None, held_scores, np.ones_like(judged))
    weights = [run[place].weights for run in runs]
    stacked = {name: _stack([each[name] for each in weights]) for name in weights[0]}
    schema = start.schema.model_copy(update={"targets": ()})
    epochs = (place + 1) * _EPOCHS_BETWEEN
    networks = TunedNetworks(kind, share, epochs, mean, deviation, start.config, schema, stacked)
    joined = (1 - share) * held_scores[:, 0] + share * found[place]
    return Tuning(networks, np.where(judged, joined, held_scores[:, 0])[:, None], judged)


def _choose(found: np.ndarray, frozen: np.ndarray, target: np.ndarray) -> tuple[int, float]:
    """Which snapshot, and how much it should count, by the squared error; 0 if nothing beats `frozen`."""
    best, chosen = float(np.square(frozen - target).mean()), (0, 0.0)
    for place, values in enumerate(found):
        for share in _SHARES:
            error = float(np.square((1 - share) * frozen + share * values - target).mean())
            if error < best:
                best, chosen = error, (place, share)
    return chosen


class _Training(NamedTuple):
    """What a network is trained on, and how."""

    graphs: np.ndarray
    aim: np.ndarray
    batch: int
    rate: float


def _train(
    network: TunedSummary | TunedDistances, training: _Training, schema: Schema, random: np.random.Generator
) -> Iterator[nn.Module]:
    """Trains a network; gives the one of the averaged weights after every few epochs."""
    graphs, batch = training.graphs, training.batch
    average = copy.deepcopy(network).eval()
    parameters = list[Tensor](each for each in network.parameters() if each.requires_grad)
    averages = list[Tensor](each for each in average.parameters() if each.requires_grad)
    optimizer = torch.optim.AdamW(parameters, lr=training.rate, weight_decay=0.01)
    steps_each = -(-len(graphs) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _EPOCHS * steps_each)
    wanted = torch.from_numpy(training.aim).float()
    for epoch in range(1, _EPOCHS + 1):
        order = random.permutation(len(graphs))
        for places in _parts(order, batch):
            off = network(unpack_graphs(graphs[places], schema)) - wanted[places]
            optimizer.zero_grad()
            off.square().mean().backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 1 - _AVERAGED)
        if epoch % _EPOCHS_BETWEEN == 0:
            logger.info("%d of %d epochs", epoch, _EPOCHS)
            yield average


@torch.inference_mode()
def _apply(network: nn.Module, graphs: np.ndarray, schema: Schema) -> np.ndarray:
    parts = [network(unpack_graphs(rows, schema)).numpy() for rows in _parts(graphs, _ROWS_AT_ONCE)]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def _stack(weights: Sequence[Tensor]) -> np.ndarray:
    """The weights of several networks; one alone where all have the same, as those that stay as they are."""
    common = all(torch.equal(each, weights[0]) for each in weights)
    return torch.stack(list(weights[:1] if common else weights)).numpy()


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in network.state_dict().items()}


def _parts(values: np.ndarray, size: int) -> Iterable[np.ndarray]:
    return (values[start : start + size] for start in range(0, len(values), size))
