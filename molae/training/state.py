"""The saved state of a run: all tensors as safetensors, all else as JSON, never a pickle."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from molae.batch.dense import DenseBatch
from molae.batch.skeletons import SkeletonBatch
from molae.checkpoint import write_directory
from molae.errors import OutputError, TrainingError

TENSORS = "tensors.safetensors"
PROGRESS = "progress.json"


@dataclasses.dataclass
class Progress:
    """Where a run is, beside its tensors.

    The random state is no part of it: order of the data and noise follow from the seed and the step.

    Attributes:
        step: Number of updates made.
        config: Configuration of the run, as plain values.
        best: Figures of the best validation so far, with the `step` it was made at; empty before the first.
        waited: Validations since the best one.
        seconds: Time trained.
    """

    step: int
    config: dict[str, Any]
    best: dict[str, float] = dataclasses.field(default_factory=dict)
    waited: int = 0
    seconds: float = 0.0


def flatten(model: nn.Module, average: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """All tensors of a run by name: `model.*`, `average.*` and `optimizer.<moment>.<parameter>`."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{moment}.{name}"] = value
    return tensors


def restore(
    tensors: Mapping[str, Tensor], model: nn.Module, average: nn.Module, optimizer: Optimizer
) -> None:
    """Puts the tensors that `flatten` named back in their places.

    Args:
        tensors: Tensors by name.
        model: Model to fill, on its device.
        average: Model of the averaged weights to fill.
        optimizer: Optimizer of the parameters of `model`.
    Raises:
        TrainingError: If the names or shapes are not those of this model.
    """
    try:
        model.load_state_dict(_below(tensors, "model."))
        average.load_state_dict(_below(tensors, "average."))
    except RuntimeError as error:
        raise TrainingError(f"the saved state is of another model: {error}") from error
    parameters = dict(model.named_parameters())
    for key, value in _below(tensors, "optimizer.").items():
        moment, name = key.split(".", 1)
        parameter = parameters[name]
        optimizer.state[parameter][moment] = value.to(parameter.device)


def save_state(folder: Path, progress: Progress, tensors: Mapping[str, Tensor]) -> Path:
    """Saves a state under the number of its step and removes older ones.

    Args:
        folder: Folder of the states of the run.
        progress: Where the run is.
        tensors: Tensors by name.
    Returns:
        The directory of the state, which appears complete or not at all.
    Raises:
        OutputError: If it cannot be written, for want of space for instance.
    """
    path = folder / f"step-{progress.step:08d}"
    try:
        with write_directory(path) as partial:
            # Cloned, since tied weights share memory, which safetensors refuses.
            values = {name: value.detach().cpu().clone() for name, value in tensors.items()}
            save_file(values, partial / TENSORS)
            (partial / PROGRESS).write_text(json.dumps(dataclasses.asdict(progress), indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        kept = latest_state(folder)
        hint = f"; the state before, {kept}, stays: make room, then resume" if kept else ""
        raise OutputError(f"cannot save the state {path}: {error}{hint}") from error
    # What a run that was killed left half written, too.
    for other in (*_states(folder), *folder.glob(".step-*")):
        if other != path:
            shutil.rmtree(other)
    return path


def load_state(path: Path) -> tuple[Progress, dict[str, Tensor]]:
    """Loads a state.

    Args:
        path: Directory of the state.
    Returns:
        Where the run was, and its tensors by name.
    Raises:
        TrainingError: If the state is corrupt.
    """
    try:
        progress = Progress(**json.loads((path / PROGRESS).read_text()))
        return progress, load_file(path / TENSORS)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise TrainingError(f"cannot read the saved state {path}: {error}") from error


def latest_state(folder: Path) -> Path | None:
    """The newest state in a folder, or None where there is none."""
    return max(_states(folder), default=None)


def save_batch(batch: DenseBatch | SkeletonBatch, path: Path) -> None:
    """Saves a batch as safetensors, one tensor for each of its fields."""
    tensors = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    save_file({name: value.cpu().contiguous() for name, value in tensors.items() if value is not None}, path)


def load_batch(path: Path) -> DenseBatch:
    """Loads a batch that `save_batch` saved, for example one whose loss was not finite."""
    tensors = load_file(path)
    absent: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(DenseBatch))
    return DenseBatch(**(absent | tensors))


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _states(folder: Path) -> list[Path]:
    return [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8,}", path.name)]
