"""Priors of the codes of a model: fitted to given ones, or stored beside its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from molae.apps.embed import embed_read
from molae.apps.graphs import decode_codes
from molae.apps.loading import Model, open_model
from molae.apps.rows import Progress, no_progress
from molae.apps.samples import Sample
from molae.autoencoder import Autoencoder
from molae.catalogue import available, resolve
from molae.errors import ConfigError
from molae.fitted import has_prior, load_prior, save_prior
from molae.graphs.order import rank_alike
from molae.prior import PRIORS, CodeSpace, OrderedGraph, Prior
from molae.types import Graph

#: Name of a prior, or a mapping with its `name` and settings.
PriorChoice = str | Mapping[str, Any]

ADAPTED = "adapted"
"""Name for the prior that is stored with a model, taught other codes."""


def fit_prior(
    codes: Float[np.ndarray, "g d"],
    model: str | Path,
    *,
    prior: PriorChoice = "autoregressive",
    seed: int = 0,
    device: str = "auto",
    half: bool = False,
    card: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
) -> None:
    """Fits a prior to codes and stores it beside the weights of their model, where `molae generate` and
    `molae.generate_molecules` find it.

    Args:
        codes: Codes of the graphs that new ones are to be like, as `molae.embed` gives them; not NaN.
        model: Path of the model that made the codes, not one that ships with molae; a prior that it has is
            replaced.
        prior: `autoregressive`, a causal transformer over nodes and edges; `mixture`, a Gaussian mixture;
            `normal`, the standard normal distribution, for models of the variational form; or a mapping with
            settings, such as `{"name": "mixture", "components": 3}`.
        seed: Seed of the fit.
        device: `auto`, `cpu` or `cuda`.
        half: Whether to store it in half precision.
        card: Facts about it, as JSON can hold them.
        progress: Told of the steps of a fit that takes long.
    Raises:
        ConfigError: If the codes do not fit the model, a setting does not fit, or the model ships with molae.
        CheckpointError: If there is no such model, or it is damaged.
    """
    if str(model) in available():
        raise ConfigError(f"{model} ships with molae and stays as it is: copy its folder, and give the path")
    opened = open_model(model, device, kind="any")
    fitted = fitted_prior(codes, opened, prior, seed, progress)
    save_prior(fitted, _settings(prior), resolve(model), card=card, half=half)


def fitted_prior(
    codes: Float[np.ndarray, "g d"],
    model: Autoencoder,
    prior: PriorChoice,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Prior:
    """A prior that is fitted to codes (see `fit_prior`)."""
    built = PRIORS.build(_settings(prior), code_space(model))
    built.fit(codes, seed, progress)
    return built


def open_prior(
    codes: Float[np.ndarray, "g d"] | None,
    model: Model,
    opened: Autoencoder,
    prior: PriorChoice | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Prior:
    """The prior that is stored with a model, or one for given codes.

    Args:
        codes: Codes of the kind that is wanted; None for the stored prior as it is.
        model: Name or path of the model.
        opened: The same, loaded.
        prior: What is fitted to the codes (see `fit_prior`); or `adapted`, the stored prior, which goes on
            learning with them. None for `adapted` where a prior is stored, else for a Gaussian mixture.
        seed: Seed of the fit.
        progress: Told of the steps of a fit that takes long.
    Raises:
        CheckpointError: If a stored prior is needed, and there is none.
        ConfigError: If there are no codes, and only the loaded model is known or a prior is chosen; or what
            `fit_prior` raises.
    """
    if codes is None and prior is not None:
        raise ConfigError(
            "a prior is chosen, but there is nothing to fit it to: bring codes, or none of both"
        )
    if codes is not None and not (prior == ADAPTED or (prior is None and _has_prior(model))):
        return fitted_prior(codes, opened, prior or "mixture", seed, progress)
    if isinstance(model, Autoencoder):
        raise ConfigError("a loaded model does not tell where its prior is stored: give its name or path")
    found = load_prior(resolve(model), code_space(opened))
    if codes is not None:
        found.adapt(codes, seed, progress)
    return found


def _has_prior(model: Model) -> bool:
    return not isinstance(model, Autoencoder) and has_prior(resolve(model))


def code_space(model: Autoencoder) -> CodeSpace:
    """What the codes of a model are like."""
    device = next(model.parameters()).device
    return CodeSpace(model.schema, partial(_read, model), partial(_write, model), device)


def _read(model: Autoencoder, codes: Float[np.ndarray, "g d"]) -> Iterator[OrderedGraph]:
    for found in decode_codes(model, codes):
        # A byte each: there may be many graphs.
        yield OrderedGraph(found.nodes.astype(np.uint8), found.edges.astype(np.uint8))


def _write(model: Autoencoder, graphs: Sequence[OrderedGraph]) -> Float[np.ndarray, "g d"]:
    samples = [Sample(_in_order(graph, model.encoder.reads_ranks), ()) for graph in graphs]
    return embed_read(model, samples)[0]


def _in_order(graph: OrderedGraph, ranked: bool) -> Graph:
    place = np.arange(len(graph.nodes))
    tie = rank_alike(graph.nodes, graph.edges, place) if ranked else None
    return Graph(graph.nodes, graph.edges, None, place, place, tie)


def _settings(prior: PriorChoice) -> dict[str, Any]:
    return {"name": prior} if isinstance(prior, str) else dict(prior)
