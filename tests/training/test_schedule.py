from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molae.training.config import TrainingConfig
from molae.training.schedule import average_decay, learning_rate, noise_seed


@given(steps=st.integers(2, 300), warmup=st.integers(0, 300))
def test_the_learning_rate_rises_then_falls_to_the_final_one(steps: int, warmup: int) -> None:
    config = TrainingConfig(steps=steps, warmup_steps=warmup, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate(step, config) for step in range(steps)]
    rising, falling = rates[:warmup], rates[warmup:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert 0 < min(rates) <= max(rates) <= 1.0
    if len(falling) > 1:
        assert falling[0] == pytest.approx(1.0)
        assert falling[-1] == pytest.approx(0.1)


def test_the_average_soon_forgets_the_first_weights() -> None:
    remembered = 1.0
    for step in range(100):
        remembered *= average_decay(step, 0.9999)
    assert remembered < 1e-6
    assert average_decay(10**6, 0.999) == 0.999


def test_every_step_and_process_has_noise_of_its_own() -> None:
    seeds = {noise_seed(seed, step, rank) for seed in range(3) for step in range(50) for rank in range(4)}
    assert len(seeds) == 600
    assert max(seeds) < 2**63
