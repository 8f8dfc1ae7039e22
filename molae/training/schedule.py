"""What changes in the course of training, each a pure function of the step."""

from __future__ import annotations

import math

import numpy as np

from molae.training.config import TrainingConfig


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine down to the final learning rate.

    Args:
        step: Step, from 0.
        config: Training section of the configuration.
    Returns:
        The learning rate of that step.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - 1 - config.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.final_learning_rate + (config.learning_rate - config.final_learning_rate) * cosine


def average_decay(step: int, largest: float) -> float:
    """Decay of the averaged weights: small at first, so that the first weights are soon forgotten."""
    return min(largest, (1 + step) / (10 + step))


def noise_seed(seed: int, step: int, rank: int) -> int:
    """Seed of the noise of one process in one step."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))
