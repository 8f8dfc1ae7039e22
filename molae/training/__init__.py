"""Training: `train` with a configuration read by `read_config`."""

from molae.training.config import TrainConfig, TrainingConfig, parse_config, read_config
from molae.training.run import train

__all__ = ["TrainConfig", "TrainingConfig", "parse_config", "read_config", "train"]
