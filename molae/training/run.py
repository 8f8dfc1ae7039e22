"""Training from a configuration and packed data: `train`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessException

from molae.autoencoder import Autoencoder
from molae.batch.packed import PackedDataset
from molae.batch.schema import Schema
from molae.batch.skeletons import SkeletonDataset
from molae.checkpoint import build_model, load_checkpoint
from molae.conformer import ConformerConfig
from molae.errors import DataError, TrainingError
from molae.training.config import DataConfig, TrainConfig, TrainingConfig
from molae.training.interrupt import catch_interrupt
from molae.training.loop import Loop
from molae.training.start import freeze, take_weights
from molae.training.state import latest_state

Packed = TypeVar("Packed", PackedDataset, SkeletonDataset)


def train(
    config: TrainConfig,
    data: Path,
    output: Path,
    resume: bool = False,
    validation: Path | None = None,
    start: Path | None = None,
) -> Path:
    """Trains a model.

    Args:
        config: What to train and how.
        data: Packed graphs to train on.
        output: Folder of the run, which gets `best` and `last`, the trained models, `states`, from which to
            resume, `metrics.csv` and `tensorboard`.
        resume: Whether to go on from the newest saved state, where there is one.
        validation: Packed graphs to validate on; without them, some of `data`, drawn by the seed.
        start: Directory of a model to start from: weights of the same name and shape are taken from it.
    Returns:
        `output`. A signal ends training early, with its state saved.
    Raises:
        DataError: If the data cannot be used.
        CheckpointError: If the model to start from is damaged.
        TrainingError: If `output` holds a run and is not to be resumed, or training cannot go on.
    """
    settings = config.training
    if not resume and latest_state(output / "states") is not None:
        raise TrainingError(f"{output} already holds a run: resume it or choose another folder")
    fabric = build_fabric(settings)
    level = logging.getLogger("molae").getEffectiveLevel()
    with catch_interrupt(forward=settings.devices > 1) as interrupt:
        try:
            launch(fabric, partial(_work, config, data, output, resume, validation, start, level))
        except ProcessException as error:
            # Processes that were still starting could not save; there was nothing to save yet.
            if not interrupt.requested:
                raise TrainingError(f"a training process failed: {error}") from error
    return output


def build_fabric(settings: TrainingConfig) -> Fabric:
    """The runtime for the devices and processes that a configuration asks for."""
    accelerator = settings.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    strategy = "auto" if settings.devices == 1 else "ddp_spawn"
    return Fabric(accelerator=accelerator, devices=settings.devices, strategy=strategy, precision="32-true")


def launch(fabric: Fabric, work: Callable[[Fabric], None]) -> None:
    """Has every process of a runtime do its work.

    Args:
        fabric: The runtime.
        work: What each does; where there are several, it can be sent to them.
    """
    fabric.launch(partial(_in_group, work))


def _in_group(work: Callable[[Fabric], None], fabric: Fabric) -> None:
    try:
        work(fabric)
    finally:
        # Threads of gloo that outlive the interpreter would now and then abort the process as it ends; Fabric
        # ends groups of NCCL alone.
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def split(data: Packed, validation: Packed | None, settings: TrainingConfig) -> tuple[Packed, Packed]:
    """The graphs to train on and those to validate on, drawn by the seed.

    Conformers of one molecule, which have the same source row, go the same way.

    Args:
        data: Graphs to train on.
        validation: Graphs to validate on, or None to keep some of `data` for that.
        settings: Training section of the configuration.
    Returns:
        Graphs for training and, at most `validation_size` of them, for validation.
    Raises:
        DataError: If the two sets are of different kinds, or too few graphs are there.
    """
    if isinstance(validation, PackedDataset) and isinstance(data, PackedDataset):
        validation = validation.rescaled(data.schema)
    if validation is not None and validation.schema != data.schema:
        raise DataError("the validation data have another schema than the training data: pack both alike")
    source = data if validation is None else validation
    chosen = _draw(source.rows, settings)
    drawn = np.flatnonzero(chosen)
    training = data if validation is not None else data.subset(np.flatnonzero(~chosen))
    if not len(training) or not len(drawn):
        raise DataError(
            f"{len(data)} graphs leave {len(training)} for training and {len(drawn)} for validation:"
            " lower validation_size or bring more data"
        )
    if isinstance(training, PackedDataset):
        training = repeat_exchanged(training, settings.exchanged_repeats)
    return training, source.subset(drawn)


def repeat_exchanged(data: PackedDataset, times: int) -> PackedDataset:
    """The data set with graphs whose nodes a reflection exchanges so many times, all others once."""
    if times == 1:
        return data
    counts = np.where(data.exchanged, times, 1)
    return data.subset(np.repeat(np.arange(len(data)), counts))


def check_kind(schema: Schema, config: DataConfig) -> None:
    """Checks that packed graphs are of the kind that a configuration is for.

    Raises:
        DataError: If they have positions and must not, or the other way round.
    """
    if config.coordinates is None or config.coordinates == schema.coordinates:
        return
    if schema.coordinates:
        raise DataError(
            "the config is for graphs without coordinates ([data] coordinates = false), and the packed data"
            " have some: pack them with `molae pack --graphs`"
        )
    raise DataError(
        "the config is for molecules with coordinates ([data] coordinates = true), and the packed data"
        " have none: pack them with `molae pack`, without --graphs"
    )


def _draw(rows: Int[np.ndarray, " g"], settings: TrainingConfig) -> Bool[np.ndarray, " g"]:
    """Marks the graphs of as many source rows, drawn by the seed, as `validation_size` has room for."""
    sources, counts = np.unique(rows, return_counts=True)
    order = np.random.default_rng(settings.seed).permutation(len(sources))
    fits = np.cumsum(counts[order]) <= settings.validation_size
    return np.isin(rows, sources[order[fits]])


def _read(
    config: TrainConfig, data: Path, validation: Path | None
) -> tuple[PackedDataset, PackedDataset] | tuple[SkeletonDataset, SkeletonDataset]:
    """The data sets to train on and to validate on, of the kind that the model takes."""
    if isinstance(config.model, ConformerConfig):
        held_out = SkeletonDataset.load(validation) if validation else None
        return split(SkeletonDataset.load(data), held_out, config.training)
    packed = PackedDataset.load(data)
    check_kind(packed.schema, config.data)
    return split(packed, PackedDataset.load(validation) if validation else None, config.training)


def _fit_targets(model: Autoencoder, training: PackedDataset) -> None:
    targets = training.targets(np.arange(len(training)))
    if model.targets is not None and targets is not None:
        model.targets.fit(targets)


def _work(
    config: TrainConfig,
    data: Path,
    output: Path,
    resume: bool,
    validation: Path | None,
    start: Path | None,
    level: int,
    fabric: Fabric,
) -> None:
    """What every process does."""
    if fabric.world_size > 1:
        logging.basicConfig(level=level, format="%(message)s")
    torch.manual_seed(config.training.seed)
    training, validating = _read(config, data, validation)
    model = build_model(config.model, training.schema)
    if isinstance(model, Autoencoder) and isinstance(training, PackedDataset):
        _fit_targets(model, training)
    if start is not None and not (resume and latest_state(output / "states")):
        take_weights(model, load_checkpoint(start))
    freeze(model, config.training.frozen)
    loop = Loop(fabric, model, config, training, validating, output)
    if resume:
        loop.resume()
    loop.run()
