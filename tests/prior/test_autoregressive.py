"""The autoregressive prior: what it draws is like the graphs that it was fitted to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from wordspace import SCHEMA, SPACE, WIDTH, graph, read, write

from molae.errors import ConfigError
from molae.prior import PRIORS, AutoregressivePrior, OrderedGraph

KNOWN = (graph("ab", (0, 1, 1)), graph("ba", (0, 1, 2)), graph("abb", (0, 1, 1), (0, 2, 2), (1, 2, 1)))


def codes(count: int = 300) -> np.ndarray:
    return np.tile(write(KNOWN), (count // 3, 1))


def prior(**settings: float) -> AutoregressivePrior:
    quick = {"steps": 300, "width": 32, "learning_rate": 3e-3} | settings
    return PRIORS.build({"name": "autoregressive", **quick}, SPACE)


def spelled(some: OrderedGraph) -> str:
    return "".join("ab"[kind] for kind in some.nodes[:, 0]) + str(some.edges.tolist())


@pytest.fixture(scope="module")
def fitted() -> AutoregressivePrior:
    made = prior()
    made.fit(codes())
    return made


def drawn(some: AutoregressivePrior, n: int = 200) -> Counter[str]:
    return Counter(map(spelled, read(some.sample(n))))


def test_it_draws_the_graphs_it_was_fitted_to(fitted: AutoregressivePrior) -> None:
    shares = [drawn(fitted)[spelled(each)] / 200 for each in KNOWN]
    assert sum(shares) > 0.9
    assert min(shares) > 0.2


def test_it_goes_on_from_what_it_knows_with_a_few_others(fitted: AutoregressivePrior) -> None:
    other = prior()
    other.restore({name: value.clone() for name, value in fitted.state().items()})
    other.adapt(codes()[1::3][:20])  # "ba" alone
    assert drawn(other)[spelled(KNOWN[1])] > 0.9 * 200


def test_probabilities_are_those_of_graphs(fitted: AutoregressivePrior) -> None:
    chances = np.exp(fitted.log_prob(write(KNOWN)))
    assert (chances > 0.2).all()
    assert chances.sum() <= 1
    wrong = write([graph("bb", (0, 1, 1))])
    assert fitted.log_prob(wrong)[0] < np.log(chances).min() - 3
    more = write([graph("aaa", (0, 1, 1)), graph("")])
    assert np.isfinite(fitted.log_prob(more)).all()


def test_a_graph_unlike_all_it_knows_has_no_chance_and_cannot_be_learned(
    fitted: AutoregressivePrior, caplog: pytest.LogCaptureFixture
) -> None:
    only = prior(steps=5)
    only.fit(write([graph("a"), graph("aa", (0, 1, 1))]))
    assert only.log_prob(write(KNOWN))[0] == -np.inf
    with pytest.raises(ConfigError, match="no graph is made of nodes like those"):
        only.adapt(write(KNOWN))
    only.adapt(write([*KNOWN, graph("a")]))
    assert "3 of 4 graphs left out" in caplog.text


def test_the_same_seed_gives_the_same_prior() -> None:
    first, again, other = (prior(steps=5) for _ in range(3))
    first.fit(codes(), seed=3)
    again.fit(codes(), seed=3)
    np.testing.assert_array_equal(first.sample(5), again.sample(5))
    other.fit(codes(), seed=4)
    assert not np.array_equal(first.log_prob(codes()[:5]), other.log_prob(codes()[:5]))


def test_what_it_cannot_draw_is_refused() -> None:
    positioned = replace(SPACE, schema=SCHEMA.model_copy(update={"coordinates": True}))
    with pytest.raises(ConfigError, match="carry positions: use 'mixture'"):
        PRIORS.build({"name": "autoregressive"}, positioned)
    with pytest.raises(ConfigError, match="graphs without nodes"):
        prior().fit(np.zeros((5, WIDTH), dtype=np.float32))
    with pytest.raises(ConfigError, match="heads: 4 do not divide width 30"):
        prior(width=30)
