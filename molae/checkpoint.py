"""Trained models as directories: JSON that says what the model is, safetensors that hold its weights."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import Tensor

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.schema import Schema
from molae.batch.skeletons import SkeletonSchema
from molae.catalogue import CONFIG, FORMAT_VERSION, is_conformer, read_description
from molae.conformer import ConformerConfig, ConformerModel
from molae.errors import CheckpointError, DataError
from molae.registry import Config, validate
from molae.weights import read_weights, save_weights

CARD = "README.md"


#: What a checkpoint can hold.
AnyModel = Autoencoder | ConformerModel


def build_model(config: Config, schema: Config) -> AnyModel:
    """Builds a model with its first weights.

    Args:
        config: Its configuration, which says what kind it is.
        schema: What its molecules or graphs carry.
    Returns:
        The model.
    Raises:
        DataError: If the data are of another kind than the model.
    """
    if isinstance(config, ConformerConfig) and isinstance(schema, SkeletonSchema):
        return ConformerModel(config, schema)
    if isinstance(config, AutoencoderConfig) and isinstance(schema, Schema):
        return Autoencoder(config, schema)
    if isinstance(config, ConformerConfig):
        raise DataError("a model of conformers is trained on ensembles: pack what `molae prepare` wrote")
    raise DataError('the packed data hold ensembles of conformers, for a model of `kind = "conformer"`')


def save_checkpoint(
    model: AnyModel,
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
    with write_directory(path) as partial:
        checksums = save_weights(model.state_dict(), partial, half=half)
        description = {
            "format_version": FORMAT_VERSION,
            "molae_version": molae_version(),
            "config": model.config.model_dump(mode="json"),
            "schema": model.schema.model_dump(mode="json"),
            "weights": checksums,
            "card": dict(card or {}),
        }
        (partial / CONFIG).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        if readme is not None:
            (partial / CARD).write_text(readme, encoding="utf-8")


def load_checkpoint(path: Path) -> AnyModel:
    """Loads a model that `save_checkpoint` saved, also one of an older format version.

    Args:
        path: Directory of the model; `resolve` finds those of shipped models.
    Returns:
        The model, in float32 on the CPU, in evaluation mode.
    Raises:
        CheckpointError: If files are missing or corrupt, made by a newer molae, or do not fit together.
    """
    description = read_description(path)
    conformers = is_conformer(description)
    config_kind: type[Config] = ConformerConfig if conformers else AutoencoderConfig
    schema_kind: type[Config] = SkeletonSchema if conformers else Schema
    config = validate(config_kind, description["config"], f"{path} config")
    schema = validate(schema_kind, description["schema"], f"{path} schema")
    weights = read_weights(path, description["weights"])
    try:
        model = build_model(config, schema)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        # Whatever layers say about sizes that do not fit together.
        raise CheckpointError(f"{path / CONFIG} is corrupt: it describes no model: {error}") from error
    _check_weights(path, model.state_dict(), weights)
    model.load_state_dict(weights)
    return model.eval()


@contextmanager
def write_directory(path: Path) -> Iterator[Path]:
    """A directory that appears under its name complete or not at all.

    Args:
        path: Final name; a directory that is there is replaced.
    Yields:
        A temporary directory beside it, to write into.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # What a process that was killed left half written.
    name = re.compile(re.escape(f".{path.name}.") + "[a-z0-9_]{8}")
    for left in path.parent.glob(".*"):
        if name.fullmatch(left.name) and left.is_dir():
            shutil.rmtree(left)
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
    """Has the files written to the disk before the directory gets its name, for all to read."""
    for file in directory.iterdir():
        file.chmod(0o644)
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


def molae_version() -> str:
    """The version that is installed."""
    try:
        return version("molae")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"


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
