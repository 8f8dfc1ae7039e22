"""Fitted property models as directories: JSON that says what they are, safetensors that hold their arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from molae.apps.loading import Model
from molae.apps.origin import CodesOrigin
from molae.apps.properties.calibration import Probabilities, Training
from molae.apps.properties.model import HEADS, PropertyModel, Recipe
from molae.apps.properties.scaling import Scaling
from molae.apps.properties.tuning import TunedNetworks
from molae.autoencoder import Autoencoder
from molae.checkpoint import write_directory
from molae.chem.descriptors import DESCRIPTOR_NAMES
from molae.errors import CheckpointError, DataError

DESCRIPTION = "property_model.json"
ARRAYS = "arrays.safetensors"
FORMAT_VERSION = 3

_PACKAGES = ("molae", "rdkit", "scikit-learn", "numpy", "torch")


@dataclass(frozen=True)
class FittedTarget:
    """One property of a stored model.

    Attributes:
        name: Name of the column that it was fitted on.
        classes: Names of the classes; empty for a regression.
        model: The model.
    """

    name: str
    classes: tuple[str, ...]
    model: PropertyModel


@dataclass(frozen=True)
class FeatureOrigin:
    """Where the features of a fitted model come from.

    Attributes:
        model: Name or path of the molae model that gives the codes, or None without codes.
        fingerprint: Checksum of its weights.
        descriptor_names: Descriptors, in order.
        seed: Seed of the conformers.
    """

    model: str | None
    fingerprint: str | None
    descriptor_names: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class StoredModel:
    """What a directory of a fitted property model holds.

    Attributes:
        targets: The properties.
        origin: Where the features come from.
        checksum: Checksum of the arrays, which tells one model from another.
    """

    targets: tuple[FittedTarget, ...]
    origin: FeatureOrigin
    checksum: str

    @property
    def blocks(self) -> tuple[str, ...]:
        """Blocks of features that all targets need."""
        return tuple(dict.fromkeys(name for each in self.targets for name in each.model.recipe.inputs))


def origin_of(model: Model, blocks: Sequence[str], seed: int) -> FeatureOrigin:
    """Notes where features come from."""
    if "code" not in blocks:
        return FeatureOrigin(None, None, DESCRIPTOR_NAMES, seed)
    if isinstance(model, Autoencoder):
        raise DataError("expected the name or path of a model, so that it can be found again for predictions")
    codes = CodesOrigin.of(model, seed)
    return FeatureOrigin(codes.model, codes.weights_sha256, DESCRIPTOR_NAMES, seed)


def check_output(path: Path) -> None:
    """Refuses to replace a directory that is something else.

    Raises:
        DataError: If `path` is there and no fitted property model.
    """
    if (
        path.exists()
        and not (path / DESCRIPTION).is_file()
        and not (path.is_dir() and not any(path.iterdir()))
    ):
        raise DataError(f"{path} is there and is no fitted model: name another folder")


def save_model(
    path: Path, targets: Sequence[FittedTarget], origin: FeatureOrigin, others: Mapping[str, str]
) -> None:
    """Saves a fitted model as a directory, replacing a fitted model that is there.

    Args:
        path: Directory to write. It appears complete or not at all.
        targets: The properties.
        origin: Where the features come from.
        others: Content of further text files, by name.
    Raises:
        DataError: If the directory is there and is something else.
    """
    check_output(path)
    arrays: dict[str, np.ndarray] = {}
    described = []
    for number, each in enumerate(targets):
        own, description = _take_apart(each)
        arrays |= {f"{number}/{name}": np.ascontiguousarray(value) for name, value in own.items()}
        described.append(description)
    with write_directory(path) as partial:
        save_file(arrays, partial / ARRAYS)
        # safetensors lets nobody but the owner read it.
        (partial / ARRAYS).chmod(0o644)
        description = {
            "format_version": FORMAT_VERSION,
            "versions": {name: version(name) for name in _PACKAGES},
            "features": asdict(origin),
            "targets": described,
            "arrays_sha256": _checksum(partial / ARRAYS),
        }
        (partial / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        for name, text in others.items():
            (partial / name).write_text(text, encoding="utf-8")


def load_model(path: str | Path) -> StoredModel:
    """Loads a fitted model that `save_model` saved.

    Args:
        path: Its directory.
    Returns:
        The model.
    Raises:
        CheckpointError: If it is none, or was damaged, or made by a newer molae.
    """
    folder = Path(path)
    description = _read_description(folder)
    if not (folder / ARRAYS).is_file():
        raise CheckpointError(f"{folder} has no {ARRAYS}: copy the whole directory of the model")
    checksum = _checksum(folder / ARRAYS)
    if checksum != description["arrays_sha256"]:
        raise CheckpointError(
            f"{folder / ARRAYS} is corrupt (its checksum is another): copy or fit the model again"
        )
    try:
        arrays = load_file(folder / ARRAYS)
        targets = tuple(
            _put_together(each, _with_prefix(arrays, f"{number}/"))
            for number, each in enumerate(description["targets"])
        )
        features = dict(description["features"])
        origin = FeatureOrigin(**features | {"descriptor_names": tuple(features["descriptor_names"])})
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} is corrupt ({error}): copy or fit the model again") from error
    return StoredModel(targets, origin, checksum)


def check_origin(stored: StoredModel, model: str | None = None) -> FeatureOrigin:
    """Makes sure that features can be computed as they were for fitting.

    Args:
        stored: The fitted model.
        model: Where the molae model is now, if not where it was.
    Returns:
        Where the features come from.
    Raises:
        CheckpointError: If the molae model is missing or another, or RDKit lacks a descriptor.
    """
    origin = stored.origin
    if "descriptors" in stored.blocks:
        missing = [name for name in origin.descriptor_names if name not in DESCRIPTOR_NAMES]
        if missing:
            raise CheckpointError(
                f"this RDKit has no descriptor {missing[0]!r}, which the model was fitted with: use the"
                " RDKit version that property_model.json names, or fit the model again"
            )
    if origin.model is None or origin.fingerprint is None:
        return origin
    codes = CodesOrigin(origin.model, origin.fingerprint, origin.seed)
    return replace(origin, model=codes.found(model, "this model was fitted on", "fit again").model)


def _read_description(folder: Path) -> dict[str, Any]:
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        found = description["format_version"]
        newer = found > FORMAT_VERSION
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointError(
            f"{folder} is not a fitted model: it has no {DESCRIPTION}; `molae fit` makes one"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder / DESCRIPTION} is corrupt: copy or fit the model again") from error
    if newer:
        raise CheckpointError(f"{folder} was made by a newer molae (format {found}): upgrade molae")
    missing = {"features", "targets", "arrays_sha256"} - set(description)
    if missing:
        raise CheckpointError(f"{folder / DESCRIPTION} is corrupt: it has no {', '.join(sorted(missing))}")
    if found < FORMAT_VERSION and any(each.get("fine_tuned") for each in description["targets"]):
        raise CheckpointError(f"{folder} was fine-tuned by an older molae (format {found}): fit it again")
    return description


def _take_apart(target: FittedTarget) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    model, scaling, training = target.model, target.model.scaling, target.model.training
    arrays = {f"scaling/{name}": getattr(scaling, name) for name in ("median", "mean", "scale")}
    arrays |= {f"head/{name}": value for name, value in model.head.arrays().items()}
    arrays["training/points"] = training.points.astype(np.float32)
    arrays |= {"training/errors": training.errors, "training/rows": training.rows}
    if model.probabilities is not None:
        arrays |= {f"probabilities/{name}": getattr(model.probabilities, name) for name in ("bias", "prior")}
    for networks in model.tuned:
        arrays |= {f"{networks.kind}/{name}": value for name, value in networks.weights.items()}
    return arrays, {
        "name": target.name,
        "task": model.task,
        "classes": target.classes,
        "estimator": model.recipe.estimator_for(model.class_count),
        "recipe": asdict(model.recipe),
        "block_sizes": scaling.sizes,
        "interval_factor": model.factor if np.isfinite(model.factor) else None,
        "probability_scale": model.probabilities.scale if model.probabilities else None,
        "typical_distance": training.typical,
        "training_molecules": len(training.points),
        "fine_tuned": [networks.described() for networks in model.tuned],
    }


def _put_together(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> FittedTarget:
    recipe = Recipe(**description["recipe"])
    scaling = Scaling(recipe.blocks, tuple(description["block_sizes"]), **_with_prefix(arrays, "scaling/"))
    training = _with_prefix(arrays, "training/")
    scale = description["probability_scale"]
    factor = description["interval_factor"]
    model = PropertyModel(
        task=description["task"],
        recipe=recipe,
        scaling=scaling,
        head=HEADS[description["estimator"]].from_arrays(_with_prefix(arrays, "head/")),
        factor=np.inf if factor is None else factor,
        probabilities=None
        if scale is None
        else Probabilities(scale, **_with_prefix(arrays, "probabilities/")),
        training=Training(
            training["points"].astype(np.float64),
            training["errors"],
            training["rows"],
            scaling.kept_sizes[0],
            description["typical_distance"],
        ),
        tuned=tuple(
            TunedNetworks.from_described(each, _with_prefix(arrays, f"{each['kind']}/"))
            for each in description.get("fine_tuned") or ()
        ),
    )
    return FittedTarget(description["name"], tuple(description["classes"]), model)


def _with_prefix(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
