"""Tensors in safetensors files, with their checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from molae.errors import CheckpointError

FILE = "weights-{number:02d}.safetensors"

MAX_FILE_BYTES = 8 * 2**20
"""Weights are spread over files of at most this size, unless a single one is larger."""


def save_weights(weights: Mapping[str, Tensor], directory: Path, *, half: bool = False) -> dict[str, str]:
    """Writes weights, in as many files as they need.

    Args:
        weights: The weights.
        directory: Where to.
        half: Whether to store them in half precision.
    Returns:
        The checksum of each file by its name.
    Raises:
        CheckpointError: If a weight is not finite, or too large for half precision.
    """
    files: list[dict[str, Tensor]] = [{}]
    for name, weight in weights.items():
        value = _stored(name, weight, half)
        taken = sum(other.nbytes for other in files[-1].values())
        if files[-1] and taken + value.nbytes > MAX_FILE_BYTES:
            files.append({})
        files[-1][name] = value
    names = [FILE.format(number=number) for number in range(1, len(files) + 1)]
    for name, part in zip(names, files, strict=True):
        save_file(part, directory / name)
    return {name: _checksum(directory / name) for name in names}


def read_weights(directory: Path, checksums: Mapping[str, str]) -> dict[str, Tensor]:
    """Reads what `save_weights` wrote, numbers with a point as float32.

    Raises:
        CheckpointError: If a file is missing or not the one that was written.
    """
    weights: dict[str, Tensor] = {}
    for name, checksum in checksums.items():
        weights |= _read_file(directory / name, checksum)
    return weights


def _read_file(path: Path, checksum: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path.parent} has no {path.name}: copy the whole directory of the model")
    found = _checksum(path)
    if found != checksum:
        raise CheckpointError(
            f"{path} is corrupt (checksum {found[:12]}, expected {checksum[:12]}): copy the model again"
        )
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a safetensors file: {error}") from error
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    """A weight as it is written: finite, on the CPU, sharing memory with no other."""
    value = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if not value.is_floating_point():
        return value
    value = value.to(torch.float16 if half else torch.float32)
    if not value.isfinite().all():
        raise CheckpointError(f"weight {name} is not finite{' in half precision' if half else ''}: not saved")
    return value
