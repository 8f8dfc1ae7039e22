from __future__ import annotations

import math

import pytest
import torch

from molae.nn.attention import CausalLayer
from molae.nn.sequence import SequenceModel, _embed

SIZES, PLACES = (3, 2), 4
CENTRES = [torch.arange(2.0 * size).view(size, 2) for size in SIZES]


@pytest.fixture
def model() -> SequenceModel:
    torch.manual_seed(0)
    made = SequenceModel(CENTRES, PLACES, width=16, layers=2, heads=2)
    # At the start all tokens are about as likely; the tests need a model that has opinions.
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.eval()


def all_sequences(length: int) -> torch.Tensor:
    """Of so many places."""
    places = torch.cartesian_prod(*(torch.arange(size) for size in SIZES))
    choices = torch.cartesian_prod(*([torch.arange(len(places))] * length)).view(-1, length)
    return places[choices]


def test_probabilities_add_up_to_one() -> None:
    torch.manual_seed(0)
    model = SequenceModel(CENTRES, 1, width=8, layers=1, heads=1).eval()
    none = model(torch.zeros(1, 0, 2, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    # With one place a sequence goes on or ends there, and ends behind it with a chance of its own.
    single = all_sequences(1)
    lengths = torch.ones(len(single), dtype=torch.int64)
    tables = model._tables()
    x, _ = model._attend(torch.cat([model.first.expand(len(single), 1, -1), _embed(single, tables)], 1), None)
    ends = model._score(x, 0, tables)[1][:, 1].log_softmax(-1)[:, SIZES[0]]
    total = none.exp().sum() + (model(single, lengths) - ends).exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-5)


def test_what_is_behind_the_end_does_not_count(model: SequenceModel) -> None:
    tokens = all_sequences(3)[:50]
    lengths = torch.full((50,), 2)
    other = tokens.clone()
    other[:, 2] = (other[:, 2] + 1) % 2
    torch.testing.assert_close(model(tokens, lengths), model(other, lengths))
    torch.testing.assert_close(model(tokens, lengths), model(tokens[:, :2], lengths))


def test_a_layer_sees_places_ahead_alone_at_once_or_one_by_one() -> None:
    torch.manual_seed(0)
    layer = CausalLayer(8, 2, 5)
    torch.nn.init.normal_(layer.out.weight)
    torch.nn.init.normal_(layer.distance)
    x = torch.randn(3, 5, 8)
    whole, _ = layer(x)
    past, single = None, []
    for place in range(5):
        found, past = layer(x[:, place, None], past)
        single.append(found)
    torch.testing.assert_close(torch.cat(single, dim=1), whole)
    changed = x.clone()
    changed[:, 3] += 1
    torch.testing.assert_close(layer(changed)[0][:, :3], whole[:, :3])
    assert not torch.allclose(layer(changed)[0][:, 3:], whole[:, 3:])


def test_draws_are_as_frequent_as_they_are_likely(model: SequenceModel) -> None:
    n = 20_000
    tokens, lengths = model.draw(n, torch.Generator().manual_seed(0))
    assert tokens.shape == (n, PLACES, len(SIZES))
    filled = torch.arange(PLACES) < lengths[:, None]
    assert not tokens[~filled].any()
    for sequence in all_sequences(1):
        found = ((lengths == 1) & (tokens[:, 0] == sequence).all(1)).double().mean().item()
        expected = model(sequence.view(1, 1, 2), torch.ones(1, dtype=torch.int64)).exp().item()
        assert found == pytest.approx(expected, abs=5 * math.sqrt(expected / n) + 1e-4)


def test_draws_follow_the_generator(model: SequenceModel) -> None:
    first, again, other = (model.draw(30, torch.Generator().manual_seed(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_low_temperature_draws_the_likeliest(model: SequenceModel) -> None:
    tokens, lengths = model.draw(50, torch.Generator().manual_seed(0), temperature=1e-4)
    assert len(set(lengths.tolist())) == 1
    assert (tokens == tokens[0]).all()
