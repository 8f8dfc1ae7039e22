"""The autoregressive prior: what it draws follows the order and the ends of what it was fitted to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from molae.errors import ConfigError
from molae.nn.channels import CodeChannels
from molae.nn.lanes import Lanes
from molae.prior import PRIORS, AutoregressivePrior, CodeSpace

LANES = Lanes(CodeChannels(1, 9), 3)
WORDS = ("ab", "ba", "abb")
VECTORS = {"a": (3.0, 0.0, 1.0), "b": (-3.0, 2.0, 0.0)}


def codes(count: int = 300) -> np.ndarray:
    """Words, letter by letter in the lanes, behind a summary that nothing depends on."""
    found = np.zeros((count, LANES.channels.size), dtype=np.float32)
    found[:, 0] = np.random.default_rng(0).normal(5, 1, count)
    for row, word in zip(found, WORDS * count, strict=False):
        letters = [VECTORS[letter] for letter in word]
        row[1 : 1 + 3 * len(word)] = np.concatenate(letters)
    return found


def count(found: np.ndarray) -> np.ndarray:
    # Tenfold codes have tenfold noise where nothing is.
    lanes = np.abs(found[:, 1:].reshape(-1, 3, 3)).sum(2)
    return (lanes > 0.3 * lanes.max()).sum(1)


def prior(**settings: float) -> AutoregressivePrior:
    space = CodeSpace(LANES, count, torch.device("cpu"))
    quick = {"steps": 300, "width": 32, "learning_rate": 3e-3} | settings
    return PRIORS.build({"name": "autoregressive", **quick}, space)


@pytest.fixture(scope="module")
def fitted() -> AutoregressivePrior:
    made = prior()
    made.fit(codes())
    return made


def spelled(code: np.ndarray) -> str:
    lanes = code[1:].reshape(3, 3)
    off = {letter: np.abs(lanes - vector).max(1) for letter, vector in VECTORS.items()}
    return "".join(min(off, key=lambda each: off[each][i]) for i in range(count(code[None])[0]))


def test_it_draws_the_words_it_was_fitted_to(fitted: AutoregressivePrior) -> None:
    words = [spelled(code) for code in fitted.sample(200)]
    shares = [words.count(word) / len(words) for word in WORDS]
    assert sum(shares) > 0.85
    assert min(shares) > 0.2


def test_it_goes_on_from_what_it_knows_with_a_few_others(fitted: AutoregressivePrior) -> None:
    other = prior()
    other.restore({name: value.clone() for name, value in fitted.state().items()})
    only = codes()[1::3][:20]  # "ba" alone
    other.adapt(only)
    words = [spelled(code) for code in other.sample(200)]
    assert words.count("ba") > 0.9 * len(words)
    np.testing.assert_allclose(other.sample(1)[0, 0], only[:, 0].mean(), rtol=1e-6)


def test_what_belongs_to_no_slot_takes_the_mean_and_empty_slots_nothing(fitted: AutoregressivePrior) -> None:
    drawn = fitted.sample(50)
    np.testing.assert_allclose(drawn[:, 0], codes()[:, 0].mean(), rtol=1e-6)
    short = count(drawn) == 2
    assert short.any()
    assert not drawn[short, 7:].any()


def test_likely_codes_are_words(fitted: AutoregressivePrior) -> None:
    known, wrong = codes()[:1], codes()[:1].copy()
    wrong[0, 4:7] = VECTORS["a"]
    assert fitted.log_prob(known)[0] > fitted.log_prob(wrong)[0] + 3


def test_densities_have_the_unit_of_the_codes() -> None:
    coarse, scaled = (prior(tokens=2, levels=1, steps=20) for _ in range(2))
    spread = codes() + 0.1 * np.random.default_rng(1).normal(size=codes().shape).astype(np.float32)
    coarse.fit(spread)
    scaled.fit(10 * spread)
    nodes = count(spread)[:20]
    smaller = coarse.log_prob(spread[:20]) - scaled.log_prob(10 * spread[:20])
    np.testing.assert_allclose(smaller, nodes * LANES.size * np.log(10), rtol=1e-4)


def test_the_same_seed_gives_the_same_prior() -> None:
    first, again = prior(steps=5), prior(steps=5)
    for each in (first, again):
        each.fit(codes(), seed=3)
    np.testing.assert_array_equal(first.sample(5), again.sample(5))
    other = prior(steps=5)
    other.fit(codes(), seed=4)
    assert not np.array_equal(first.log_prob(codes()[:5]), other.log_prob(codes()[:5]))


def test_codes_without_lanes_and_graphs_without_nodes_are_refused() -> None:
    space = CodeSpace(Lanes(CodeChannels(1, 2), 3), count, torch.device("cpu"))
    with pytest.raises(ConfigError, match="no node has channels of its own"):
        PRIORS.build({"name": "autoregressive"}, space)
    with pytest.raises(ConfigError, match="graphs without nodes"):
        prior().fit(np.zeros((5, LANES.channels.size), dtype=np.float32))
    with pytest.raises(ConfigError, match="heads: 4 do not divide width 30"):
        prior(width=30)
