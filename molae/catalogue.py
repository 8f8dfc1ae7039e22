"""Models by name or path, and what they are, without their weights: nothing here needs torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from molae.errors import CheckpointError
from molae.registry import nearest

CONFIG = "config.json"
FORMAT_VERSION = 7
# No path: nothing outside the folder of the model is ever read.
_WEIGHTS = re.compile(r"weights(-[0-9]{2,9})?\.safetensors")


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


def _without_summary(description: dict[str, Any]) -> dict[str, Any]:
    """Up to format 3, no code had a summary and no graph a target; what is not named is absent still."""
    return dict(description)


def _without_conformers(description: dict[str, Any]) -> dict[str, Any]:
    """Up to format 4, every model was an autoencoder; a model of conformers says so in its configuration."""
    return dict(description)


def _without_numbers(description: dict[str, Any]) -> dict[str, Any]:
    """Up to format 5, graphs had neither directions nor continuous attributes."""
    return dict(description)


def _with_head(description: dict[str, Any]) -> dict[str, Any]:
    """Up to format 6, every slot encoder had a head."""
    return dict(description)


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _name_files,
    2: _without_lanes,
    3: _without_summary,
    4: _without_conformers,
    5: _without_numbers,
    6: _with_head,
}
"""For each older format version, what turns its `config.json` into that of the next version."""


def read_description(path: Path) -> dict[str, Any]:
    """Reads what a saved model is, without its weights, brought to the present format version.

    Args:
        path: Directory of the model.
    Returns:
        The content of its `config.json`.
    Raises:
        CheckpointError: If the file is missing, corrupt, or made by a newer molae.
    """
    description = read_json(path / CONFIG, FORMAT_VERSION)
    found = description["format_version"]
    try:
        for older in range(found, FORMAT_VERSION):
            description = MIGRATIONS[older](description) | {"format_version": older + 1}
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path / CONFIG} is corrupt: it is no model of format {found}") from error
    _check_parts(path / CONFIG, description)
    return description


def read_json(path: Path, newest: int) -> dict[str, Any]:
    """Reads the description of a model or a part of one.

    Args:
        path: The file.
        newest: Newest format version that is known.
    Returns:
        Its content, with a `format_version` from 1 to `newest`.
    Raises:
        CheckpointError: If the file is missing, corrupt, or made by a newer molae.
    """
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        found = description["format_version"]
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.parent} is not a model: it has no {path.name}") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is corrupt: copy or train the model again") from error
    if not isinstance(found, int) or found < 1:
        raise CheckpointError(f"{path} is corrupt: there is no format {found!r:.40}")
    if found > newest:
        raise CheckpointError(
            f"{path.parent} was made by a newer molae (format {found}, this one reads up to {newest}):"
            " upgrade molae"
        )
    return description


def check_weights(path: Path, weights: Mapping[str, Any]) -> None:
    """Checks that the weights a description names are files of the same folder, each with its checksum.

    Raises:
        CheckpointError: If they are not.
    """
    if not isinstance(weights, dict):
        raise CheckpointError(f"{path} is corrupt: its weights is no table of keys and values")
    for name, checksum in weights.items():
        if not _WEIGHTS.fullmatch(name) or not isinstance(checksum, str):
            raise CheckpointError(f"{path} is corrupt: {name!r:.100} is no file of weights with its checksum")


def _check_parts(path: Path, description: Mapping[str, Any]) -> None:
    """Checks what stands at the top, and that the weights are files of the same folder."""
    for part in ("config", "schema", "weights", "card"):
        if part not in description:
            raise CheckpointError(f"{path} is corrupt: it has no {part}")
        if not isinstance(description[part], dict):
            raise CheckpointError(f"{path} is corrupt: its {part} is no table of keys and values")
    check_weights(path, description["weights"])


def fingerprint(description: Mapping[str, Any]) -> str:
    """A checksum of all weights of a model, from the description that `read_description` gives."""
    return hashlib.sha256("".join(description["weights"].values()).encode()).hexdigest()


def weights_of(name_or_path: str | Path) -> str:
    """The checksum of the weights of a model, which tells it from others whatever it is called.

    Raises:
        CheckpointError: If there is no such model.
    """
    return fingerprint(read_description(resolve(name_or_path)))


def is_conformer(description: Mapping[str, Any]) -> bool:
    """Whether a model is one of conformers, not an autoencoder."""
    return description["config"].get("kind") == "conformer"


def summary_size(description: Mapping[str, Any]) -> int:
    """Numbers of the summary that the codes of a model begin with; 0 where they have none."""
    summary = description["config"].get("encoder", {}).get("summary")
    return summary["size"] if summary else 0


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
    raise CheckpointError(f"no model {str(name_or_path)!r}, neither shipped nor a directory: {hint}")


def _shipped() -> Path:
    return Path(str(files("molae"))) / "checkpoints"
