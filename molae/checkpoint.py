"""Trained models as directories: JSON that says what the model is, safetensors that hold its weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.schema import Schema
from molae.errors import CheckpointError
from molae.registry import nearest, validate

CONFIG = "config.json"
WEIGHTS = "weights-{number:02d}.safetensors"
CARD = "README.md"

FORMAT_VERSION = 3

MAX_FILE_BYTES = 8 * 2**20
"""Weights are spread over files of at most this size, unless a single one is larger."""


def _name_files(description: dict[str, Any]) -> dict[str, Any]:
    """Format 1 had one file of weights, and its checksum under a key of its own."""
    others = {name: value for name, value in description.items() if name != "weights_sha256"}
    return others | {"weights": {"weights.safetensors": description["weights_sha256"]}}


def _without_lanes(description: dict[str, Any]) -> dict[str, Any]:
    """Up to format 2, slots had neither lanes nor offsets, which are now the default."""
    config = dict(description["config"])
    for part, absent in (
        ("encoder", {"lanes": False, "offsets": False}),
        ("decoder", {"lanes": False, "pair_heads": 0}),
    ):
        if config.get(part, {}).get("name") == "slots":
            config[part] = absent | config[part]
    return dict(description) | {"config": config}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _name_files, 2: _without_lanes}
"""For each older format version, what turns its `config.json` into that of the next version."""


def save_checkpoint(
    model: Autoencoder,
    path: Path,
    *,
    card: Mapping[str, Any] | None = None,
    readme: str | None = None,
    half: bool = False,
) -> None:
    """Saves a model as a directory, replacing one that is there.

    Args:
        model: The model.
        path: Directory to write. It appears complete or not at all.
        card: Facts about the model, as JSON can hold them: data, recipe, measured figures.
        readme: Text of the model card, in Markdown.
        half: Whether to store the weights in half precision; they are loaded back as float32.
    Raises:
        CheckpointError: If a weight is not finite, or too large for half precision.
    """
    weights = {name: _stored(name, value, half) for name, value in model.state_dict().items()}
    with write_directory(path) as partial:
        names = _save_weights(weights, partial)
        description = {
            "format_version": FORMAT_VERSION,
            "molae_version": _molae_version(),
            "config": model.config.model_dump(mode="json"),
            "schema": model.schema.model_dump(mode="json"),
            "weights": {name: _checksum(partial / name) for name in names},
            "card": dict(card or {}),
        }
        (partial / CONFIG).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        if readme is not None:
            (partial / CARD).write_text(readme, encoding="utf-8")


def load_checkpoint(path: Path) -> Autoencoder:
    """Loads a model that `save_checkpoint` saved, also one of an older format version.

    Args:
        path: Directory of the model; `resolve` finds those of shipped models.
    Returns:
        The model, in float32 on the CPU, in evaluation mode.
    Raises:
        CheckpointError: If files are missing or corrupt, made by a newer molae, or do not fit together.
    """
    description = read_description(path)
    config = cast(AutoencoderConfig, validate(AutoencoderConfig, description["config"], f"{path} config"))
    schema = cast(Schema, validate(Schema, description["schema"], f"{path} schema"))
    weights: dict[str, Tensor] = {}
    for name, checksum in description["weights"].items():
        weights |= _read_weights(path / name, checksum)
    model = Autoencoder(config, schema)
    _check_weights(path, model.state_dict(), weights)
    model.load_state_dict(weights)
    return model.eval()


def read_description(path: Path) -> dict[str, Any]:
    """Reads what a saved model is, without its weights, brought to the present format version.

    Args:
        path: Directory of the model.
    Returns:
        The content of its `config.json`.
    Raises:
        CheckpointError: If the file is missing, corrupt, or made by a newer molae.
    """
    try:
        description = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        found = description["format_version"]
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is not a model: it has no {CONFIG}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path / CONFIG} is corrupt: copy or train the model again") from error
    if found > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} was made by a newer molae (format {found}, this one reads up to {FORMAT_VERSION}):"
            " upgrade molae"
        )
    for older in range(found, FORMAT_VERSION):
        description = MIGRATIONS[older](description) | {"format_version": older + 1}
    missing = {"config", "schema", "weights", "card"} - set(description)
    if missing:
        raise CheckpointError(f"{path / CONFIG} is corrupt: it has no {', '.join(sorted(missing))}")
    return description


def fingerprint(description: Mapping[str, Any]) -> str:
    """A checksum of all weights of a model, from the description that `read_description` gives."""
    return hashlib.sha256("".join(description["weights"].values()).encode()).hexdigest()


def available() -> list[str]:
    """Names of the models that ship with molae."""
    return sorted(path.parent.name for path in _shipped().glob(f"*/{CONFIG}"))


def resolve(name_or_path: str | Path) -> Path:
    """Finds a model by its name, if it ships with molae, or by its path.

    Args:
        name_or_path: Name of a shipped model, or path of a model directory; a shipped name comes first.
    Returns:
        The directory of the model.
    Raises:
        CheckpointError: If there is neither such a model nor such a directory.
    """
    names = available()
    if str(name_or_path) in names:
        return _shipped() / str(name_or_path)
    path = Path(name_or_path)
    if path.is_dir():
        return path
    hint = nearest(str(name_or_path), names)
    raise CheckpointError(
        f"no model {str(name_or_path)!r}, neither shipped nor a directory: {hint}"
        f" (shipped: {', '.join(names) or 'none'})"
    )


@contextmanager
def write_directory(path: Path) -> Iterator[Path]:
    """A directory that appears under its name complete or not at all.

    Args:
        path: Final name; a directory that is there is replaced.
    Yields:
        A temporary directory beside it, to write into.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield partial
        partial.chmod(0o755)
        _flush(partial)
        if path.exists():
            # A directory cannot be renamed onto another: the old one steps aside first.
            replaced = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            path.rename(replaced)
            partial.rename(path)
            shutil.rmtree(replaced)
        else:
            partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _flush(directory: Path) -> None:
    """Has the files written to the disk before the directory gets its name."""
    for file in directory.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


def _shipped() -> Path:
    return Path(str(files("molae"))) / "checkpoints"


def _molae_version() -> str:
    try:
        return version("molae")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"


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


def _save_weights(weights: Mapping[str, Tensor], directory: Path) -> list[str]:
    """Writes the weights, in as many files as they need; returns the names of the files."""
    files: list[dict[str, Tensor]] = [{}]
    for name, value in weights.items():
        taken = sum(other.nbytes for other in files[-1].values())
        if files[-1] and taken + value.nbytes > MAX_FILE_BYTES:
            files.append({})
        files[-1][name] = value
    names = [WEIGHTS.format(number=number) for number in range(1, len(files) + 1)]
    for name, part in zip(names, files, strict=True):
        save_file(part, directory / name)
    return names


def _read_weights(path: Path, checksum: str) -> dict[str, Tensor]:
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


def _check_weights(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    problems = [f"missing {name}" for name in expected if name not in found]
    problems += [f"unexpected {name}" for name in found if name not in expected]
    problems += [
        f"{name} has shape {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(f"the weights in {path} do not fit its config: {'; '.join(problems[:3])}{more}")
