"""Training that starts from a trained model, and keeps some of its weights as they are."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from molae.checkpoint import AnyModel
from molae.errors import ConfigError, TrainingError

logger = logging.getLogger("molae.training")


@torch.no_grad()
def take_weights(model: AnyModel, source: AnyModel) -> None:
    """Copies the weights that two models have in common: those of the same name and shape.

    Args:
        model: Model to change; the log tells what its other weights, which stay, are part of.
        source: Model to copy from.
    Raises:
        TrainingError: If they have nothing in common.
    """
    known = source.state_dict()
    own = model.state_dict()
    common = [name for name, value in own.items() if name in known and known[name].shape == value.shape]
    if not common:
        raise TrainingError("the model to start from has no weights in common with the one to train")
    for name in common:
        own[name].copy_(known[name])
    anew = [name for name in own if name not in common]
    logger.info("%d of %d tensors are taken from the model to start from", len(common), len(own))
    if anew:
        logger.info("trained from scratch: %s", _parts(anew))


def freeze(model: AnyModel, beginnings: Sequence[str]) -> None:
    """Keeps parameters from being trained.

    Args:
        model: The model.
        beginnings: What the names of these parameters begin with.
    Raises:
        ConfigError: If no name begins so.
    """
    names = [name for name, _ in model.named_parameters()]
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in names):
            known = _parts(names)
            raise ConfigError(f"training.frozen: no parameter begins with {beginning!r}; there are {known}")
    for name, parameter in model.named_parameters():
        if name.startswith(tuple(beginnings)):
            parameter.requires_grad_(False)


def _parts(names: Sequence[str]) -> str:
    """What tensors of these names are parts of: a model has hundreds of tensors, and some ten such parts."""
    return ", ".join(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
