"""Fitted priors as directories inside those of the models whose codes they are of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molae.catalogue import CONFIG, check_weights, fingerprint, read_description, read_json
from molae.checkpoint import molae_version, write_directory
from molae.errors import CheckpointError
from molae.prior import PRIORS, CodeSpace, Prior
from molae.weights import read_weights, save_weights

FOLDER = "prior"
FORMAT_VERSION = 2
"""Up to format 1, autoregressive priors drew lanes of codes, not graphs; none of these can be read."""


def save_prior(
    prior: Prior,
    settings: Mapping[str, Any],
    model: Path,
    *,
    card: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Saves a prior in the directory of its model, replacing one that is there.

    Args:
        prior: The prior, fitted.
        settings: Its `name` and configuration, as `PRIORS.build` took them.
        model: Directory of the model.
        card: Facts about it, as JSON can hold them: data, recipe, measured figures.
        half: Whether to store it in half precision.
    Raises:
        CheckpointError: If there is no model, or what was learned is not finite.
    """
    of = fingerprint(read_description(model))
    with write_directory(model / FOLDER) as partial:
        checksums = save_weights(prior.state(), partial, half=half)
        description = {
            "format_version": FORMAT_VERSION,
            "molae_version": molae_version(),
            "prior": dict(settings),
            "of": of,
            "weights": checksums,
            "card": dict(card or {}),
        }
        (partial / CONFIG).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def has_prior(model: Path) -> bool:
    """Whether a prior is saved in the directory of a model."""
    return (model / FOLDER).is_dir()


def load_prior(model: Path, space: CodeSpace) -> Prior:
    """Loads the prior that `save_prior` saved in the directory of a model.

    Args:
        model: Directory of the model.
        space: What its codes are like.
    Returns:
        The prior, ready to draw from.
    Raises:
        CheckpointError: If there is none, it is damaged or made by a newer molae, or it is one of the codes
            of other weights.
    """
    path = model / FOLDER
    if not has_prior(model):
        raise CheckpointError(
            f"{model.name} has no prior: bring molecules or graphs that new ones are to be like"
        )
    description = _read(path / CONFIG)
    if description["of"] != fingerprint(read_description(model)):
        raise CheckpointError(f"{path} was fitted to codes of other weights: fit it again")
    weights = read_weights(path, description["weights"])
    prior = PRIORS.build(description["prior"], space)
    try:
        prior.restore(weights)
    except (RuntimeError, LookupError, ValueError) as error:
        raise CheckpointError(f"the weights in {path} do not fit its {CONFIG}: {error}") from error
    return prior


def _read(path: Path) -> dict[str, Any]:
    description = read_json(path, FORMAT_VERSION)
    if description["format_version"] < FORMAT_VERSION:
        raise CheckpointError(f"{path.parent} was made by an older molae: fit the prior again")
    for part in ("prior", "of", "weights"):
        if part not in description:
            raise CheckpointError(f"{path} is corrupt: it has no {part}")
    check_weights(path, description["weights"])
    return description
