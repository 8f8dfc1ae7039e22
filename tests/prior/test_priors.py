"""What every registered prior must do, and the settings of each."""

from __future__ import annotations

import numpy as np
import pytest
from wordspace import SPACE, WIDTH

from molae.apps.evaluate_graphs import STORED
from molae.apps.priors import ADAPTED
from molae.cli.evaluate import JudgedPrior
from molae.cli.options import PriorName
from molae.errors import ConfigError, RegistryError
from molae.prior import PRIORS, Prior


def build(name: str, **settings: int) -> Prior:
    quick = {"steps": 20, "width": 16} if name == "autoregressive" else {}
    return PRIORS.build({"name": name, **quick, **settings}, SPACE)


def correlated(count: int = 500, seed: int = 0) -> np.ndarray:
    """Codes in two clouds, with a channel that never differs."""
    random = np.random.default_rng(seed)
    codes = random.normal(size=(count, WIDTH)) @ random.normal(size=(WIDTH, WIDTH))
    codes[: count // 2] += 20
    codes[:, 3] = 1.5
    return codes.astype(np.float32)


@pytest.mark.parametrize("name", list(PRIORS))
def test_draws_are_finite_and_follow_the_seed(name: str) -> None:
    prior = build(name)
    prior.fit(correlated())
    first, again, other = (prior.sample(7, seed) for seed in (0, 0, 1))
    assert first.shape == (7, WIDTH)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.isfinite(prior.log_prob(first)).all()


@pytest.mark.parametrize("name", list(PRIORS))
def test_draws_are_likelier_than_what_is_far(name: str) -> None:
    prior = build(name)
    prior.fit(correlated())
    drawn = prior.sample(100)
    assert prior.log_prob(drawn).mean() > prior.log_prob(drawn + 1000).mean()


@pytest.mark.parametrize("name", list(PRIORS))
def test_codes_that_are_not_finite_are_refused(name: str) -> None:
    codes = correlated()
    codes[3, 0] = np.nan
    with pytest.raises(ConfigError, match="all finite"):
        build(name).fit(codes)


def test_the_command_line_offers_what_is_registered() -> None:
    assert {each.value for each in PriorName} == {*PRIORS, ADAPTED}
    assert {each.value for each in JudgedPrior} == {*PRIORS, ADAPTED, STORED}


def test_a_mixture_has_the_mean_and_spread_of_the_codes() -> None:
    codes = correlated()
    prior = build("mixture", components=2)
    prior.fit(codes)
    drawn = prior.sample(4000)
    np.testing.assert_allclose(drawn.mean(0), codes.mean(0), atol=0.6)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(codes.T), rtol=0.15, atol=0.15)


def test_the_standard_normal_has_its_density() -> None:
    prior = build("normal")
    prior.fit(correlated())
    np.testing.assert_allclose(prior.log_prob(np.zeros((1, WIDTH))), [-WIDTH / 2 * np.log(2 * np.pi)])


def test_wrong_names_and_settings_are_refused() -> None:
    with pytest.raises(RegistryError, match="no prior is called 'mixtur'"):
        build("mixtur")
    with pytest.raises(ConfigError, match="components"):
        build("mixture", components=0)


@pytest.mark.parametrize("name", list(PRIORS))
def test_what_was_learned_can_be_taken_over(name: str) -> None:
    prior, other = build(name), build(name)
    prior.fit(correlated())
    other.restore({key: value.clone() for key, value in prior.state().items()})
    np.testing.assert_array_equal(other.sample(5), prior.sample(5))
    np.testing.assert_array_equal(other.log_prob(correlated()[:5]), prior.log_prob(correlated()[:5]))
