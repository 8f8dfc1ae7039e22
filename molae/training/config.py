"""The configuration file of a training run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from molae.align import ALIGNERS
from molae.autoencoder import AutoencoderConfig
from molae.conformer import ConformerConfig
from molae.decoder import DECODERS
from molae.encoder import ENCODERS
from molae.errors import ConfigError
from molae.registry import Config, validate
from molae.regularise import REGULARISERS
from molae.training.augment import AugmentConfig


class TrainingConfig(Config):
    """How to train: the section `[training]`.

    Attributes:
        steps: Number of updates.
        batch_size: Graphs in a batch, over all processes together.
        window: Batches whose graphs are sorted by size together: more waste less padding, fewer mix sizes
            better.
        learning_rate: Largest learning rate, reached after the warm-up.
        final_learning_rate: Learning rate at the last step, reached along a cosine.
        warmup_steps: Steps over which the learning rate rises linearly.
        weight_decay: Decoupled weight decay of matrices; biases and scales have none.
        betas: Decay of the two moments of AdamW.
        gradient_clip: Largest norm of the gradient; longer ones are shortened to it.
        ema_decay: Decay of the averaged weights, which are the ones validated and exported.
        seed: Seed of the first weights, the order of the data and the noise.
        precision: Of the forward pass; weights and optimizer are always in float32.
        full_precision_steps: Last steps that run in float32 whatever `precision` says.
        validate_every: Steps between validations.
        validation_size: Most graphs to validate on.
        exchanged_repeats: How often an epoch holds a training graph with nodes that a reflection exchanges.
            Few molecules are so, and their stereo has to be in the even part of the code: they are learned
            last.
        frozen: What the names of parameters begin with that are not trained, such as `encoder.summary`.
        patience: Validations without a better one after which training stops; 0 to never stop early.
        checkpoint_minutes: Time between saved states.
        log_every: Steps between rows of the log.
        accelerator: Device to train on; `auto` takes a GPU if there is one.
        devices: Number of processes, each with its own GPU where the accelerator is one.
    """

    steps: PositiveInt = 100_000
    batch_size: PositiveInt = 256
    window: PositiveInt = 16
    learning_rate: PositiveFloat = 1e-3
    final_learning_rate: NonNegativeFloat = 1e-5
    warmup_steps: NonNegativeInt = 500
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: PositiveFloat = 1.0
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    seed: NonNegativeInt = 0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    full_precision_steps: NonNegativeInt = 0
    validate_every: PositiveInt = 2000
    validation_size: PositiveInt = 1000
    exchanged_repeats: PositiveInt = 1
    frozen: tuple[str, ...] = ()
    patience: NonNegativeInt = 0
    checkpoint_minutes: NonNegativeFloat = 5.0
    log_every: PositiveInt = 50
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: PositiveInt = 1


class DataConfig(Config):
    """What to train on: the section `[data]`.

    Attributes:
        coordinates: Whether the graphs must have positions. None for either; molecules that are packed for
            the run then get some.
    """

    coordinates: bool | None = None


class TrainConfig(Config):
    """A whole run: what to train (`[model]`), how (`[training]`) and on what (`[data]`, `[augment]`).

    A model of conformers has `kind = "conformer"`; any other is an autoencoder.
    """

    model: AutoencoderConfig | ConformerConfig
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()
    augment: AugmentConfig = AugmentConfig()


SECTIONS: dict[str, type[Config]] = {
    "model": AutoencoderConfig,
    "data": DataConfig,
    "training": TrainingConfig,
    "augment": AugmentConfig,
}


def model_section(values: Mapping[str, Any]) -> type[Config]:
    """The class of the section `[model]` that has these plain values."""
    return ConformerConfig if values.get("kind") == "conformer" else AutoencoderConfig


def parse_config(values: Mapping[str, Any]) -> TrainConfig:
    """Validates the plain values of a configuration file.

    Args:
        values: Sections by name.
    Returns:
        The configuration.
    Raises:
        ConfigError: If a section or key is unknown (naming the nearest valid one) or a value does not fit.
    """
    sections: dict[str, Any] = dict(values)
    kinds = SECTIONS | {"model": model_section(sections.get("model", {}))}
    for name, section in kinds.items():
        if name in sections:
            sections[name] = validate(section, sections[name], name)
    config = cast(TrainConfig, validate(TrainConfig, sections, "config file"))
    if isinstance(config.model, AutoencoderConfig):
        _check_components(config.model)
    return config


def _check_components(model: AutoencoderConfig) -> None:
    """Checks the sections that name components, which would else be looked at when the data are packed."""
    for registry, section in (
        (ENCODERS, model.encoder),
        (ALIGNERS, model.aligner),
        (DECODERS, model.decoder),
        (REGULARISERS, model.regulariser),
    ):
        if section is not None:
            registry.config(section)


def read_config(path: Path) -> TrainConfig:
    """Reads a configuration file.

    Args:
        path: TOML file with the sections `[model]` and `[training]`.
    Returns:
        The configuration.
    Raises:
        ConfigError: If the file is missing, not TOML, or has wrong keys or values.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no config file {path}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is no config file: its values are nested too deeply") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file: {error}") from error
    return parse_config(values)
