"""Models by name, on their device, ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from molae.apps.molecules import molecule_schema
from molae.autoencoder import Autoencoder
from molae.catalogue import resolve
from molae.checkpoint import AnyModel, load_checkpoint
from molae.errors import ConfigError
from molae.ops import keep_freed_memory

#: A shipped name, the path of a model directory, or a model that is loaded already.
Model = str | Path | Autoencoder


def load(name_or_path: str | Path) -> AnyModel:
    """Loads a model; nothing is downloaded.

    From then on the process keeps freed memory for the next batch (see `molae.ops.keep_freed_memory`).

    Args:
        name_or_path: Name of a shipped model (`molae models` lists them), or path of a model directory.
    Returns:
        The model, in float32 on the CPU, in evaluation mode.
    Raises:
        CheckpointError: If there is no such model, or it is damaged.
    """
    keep_freed_memory()
    return load_checkpoint(resolve(name_or_path))


def open_model(
    model: Model, device: str = "auto", kind: Literal["any", "molecules", "graphs"] = "molecules"
) -> Autoencoder:
    """Readies a model for use.

    Args:
        model: Name, path, or loaded model; a loaded one is itself moved and set to evaluation mode.
        device: `auto`, `cpu`, `cuda`, or another device that torch names.
        kind: What it must be a model of: `molecules`, `graphs` that are no molecules, or `any` of the two.
    Returns:
        The model on its device, in evaluation mode.
    Raises:
        CheckpointError: If there is no such model, or it is damaged.
        ConfigError: If there is no such device, or the model is of another kind.
    """
    opened = model if isinstance(model, Autoencoder) else load(model)
    if not isinstance(opened, Autoencoder):
        raise ConfigError(f"{model} is a model of conformers: use it with `molae conformers`")
    schema = opened.schema
    if schema.labels is None and kind == "graphs":
        raise ConfigError("expected a model of graphs, got one of molecules")
    known = schema == molecule_schema(schema.max_nodes, schema.coordinates, schema.hydrogens, schema.targets)
    if not known and (kind == "molecules" or schema.labels is None):
        channels = ", ".join(name for name, _ in schema.node_channels)
        raise ConfigError(f"expected a model of molecules, got one of graphs whose nodes carry {channels}")
    return opened.to(choose_device(device)).eval()


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name; `auto` takes a GPU if there is one.

    Raises:
        ConfigError: If there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no device is called {name!r}: use auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device 'cuda' asked for, but torch finds no GPU: use auto or cpu")
    return device
