"""Priors of the codes of a model: fitted to given ones, or stored beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from molae.apps.graphs import decode_in_batches
from molae.apps.loading import Model, open_model
from molae.apps.rows import Progress, no_progress
from molae.autoencoder import Autoencoder
from molae.catalogue import resolve
from molae.errors import ConfigError
from molae.fitted import load_prior, save_prior
from molae.nn.lanes import Lanes
from molae.prior import PRIORS, CodeSpace, Prior

#: Name of a prior, or a mapping with its `name` and settings.
PriorChoice = str | Mapping[str, Any]


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
        model: Path of the model that made the codes; a prior that it has is replaced.
        prior: `autoregressive`, a causal transformer over the slots of a code; `mixture`, a Gaussian mixture;
            `normal`, the standard normal distribution, for models of the variational form; or a mapping with
            settings, such as `{"name": "mixture", "components": 3}`.
        seed: Seed of the fit.
        device: `auto`, `cpu` or `cuda`.
        half: Whether to store it in half precision.
        card: Facts about it, as JSON can hold them.
        progress: Told of the steps of a fit that takes long.
    Raises:
        ConfigError: If the codes do not fit the model, or a setting does not fit.
        CheckpointError: If there is no such model, or it is damaged.
    """
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
) -> Prior:
    """A prior that is fitted to codes; without codes, the one that is stored with their model.

    Args:
        codes: Codes to fit to, or None.
        model: Name or path of the model.
        opened: The same, loaded.
        prior: What is fitted, a Gaussian mixture if None.
        seed: Seed of the fit.
    Raises:
        CheckpointError: If there are neither codes nor a stored prior.
        ConfigError: If there are no codes, and only the loaded model is known or a prior is chosen; or what
            `fit_prior` raises.
    """
    if codes is not None:
        return fitted_prior(codes, opened, "mixture" if prior is None else prior, seed)
    if prior is not None:
        raise ConfigError(
            "a prior is chosen, but there is nothing to fit it to: bring codes, or none of both"
        )
    if isinstance(model, Autoencoder):
        raise ConfigError("a loaded model does not tell where its prior is stored: give its name or path")
    return load_prior(resolve(model), code_space(opened))


def code_space(model: Autoencoder) -> CodeSpace:
    """What the codes of a model are like."""
    lanes = Lanes(model.encoder.channels, model.schema.max_nodes)
    return CodeSpace(lanes, partial(_count_nodes, model), next(model.parameters()).device)


def _count_nodes(model: Autoencoder, codes: Float[np.ndarray, "g d"]) -> Int[np.ndarray, " g"]:
    found = [each.size_logits.argmax(dim=-1).cpu().numpy() for each in decode_in_batches(model, codes)]
    return np.concatenate(found)


def _settings(prior: PriorChoice) -> dict[str, Any]:
    return {"name": prior} if isinstance(prior, str) else dict(prior)
