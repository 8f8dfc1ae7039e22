from __future__ import annotations

import itertools
import math

import pytest
import torch

from molae.nn.attention import CausalLayer
from molae.nn.sequence import GraphSequence

KINDS, TYPES, PLACES, MOST_EDGES = 2, 2, 3, 2
FEATURES = torch.eye(KINDS)


@pytest.fixture
def model() -> GraphSequence:
    torch.manual_seed(0)
    made = GraphSequence(FEATURES, TYPES, PLACES, MOST_EDGES, width=16, layers=2, heads=2)
    # At the start all tokens are about as likely; the tests need a model that has opinions.
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def places(ahead: int) -> list[list[int]]:
    """What a node with so many ahead of it may be told as: its kind, and edges, the nearest first."""
    edges = itertools.product(range(TYPES + 1), repeat=ahead)
    told = [[1 + reach * TYPES + kind - 1 for reach, kind in enumerate(each) if kind] for each in edges]
    return [[kind, *each, *[0] * (MOST_EDGES - len(each))] for kind in range(KINDS) for each in told]


def all_graphs(n: int) -> torch.Tensor:
    """The tokens of all graphs of so many nodes."""
    found = list(itertools.product(*(places(ahead) for ahead in range(n))))
    return torch.tensor(found, dtype=torch.int64).view(len(found), n, 1 + MOST_EDGES)


@torch.no_grad()
def test_probabilities_of_all_graphs_add_up_to_one(model: GraphSequence) -> None:
    """Of one that has as many nodes as there may be, too, it is told whether it ends: that is left out."""
    total = 0.0
    for n in range(PLACES + 1):
        graphs = all_graphs(n)
        chances = model(graphs, torch.full((len(graphs),), n))
        if n == PLACES:
            x, _, _ = model._attend(model._embedded(graphs, model._tables()), model._edges_to(graphs), None)
            scores = model._kind_scores(model.mix[0](x[:, -1]), model._tables())
            chances = chances - scores.log_softmax(-1)[:, KINDS]
        total += chances.exp().sum().item()
    assert total == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
def test_what_is_behind_the_end_or_a_0_does_not_count(model: GraphSequence) -> None:
    tokens = all_graphs(3)[::7]
    lengths = torch.full((len(tokens),), 2)
    other = tokens.clone()
    other[:, 2] = 1
    torch.testing.assert_close(model(tokens, lengths), model(other, lengths))
    torch.testing.assert_close(model(tokens, lengths), model(tokens[:, :2], lengths))


@torch.no_grad()
def test_graphs_are_known_alike_at_once_or_node_by_node(model: GraphSequence) -> None:
    tokens = all_graphs(3)[::5]
    tables, edges = model._tables(), model._edges_to(tokens)
    whole, pairs, _ = model._attend(model._embedded(tokens, tables), edges, None)
    seen, single = None, []
    for place in range(4):
        read = model._embedded(tokens, tables)[:, place, None]
        found, near, seen = model._attend(read, edges[:, place, None, : place + 1], seen)
        single.append(found)
        torch.testing.assert_close(near[:, 0], pairs[:, place, : place + 1])
    torch.testing.assert_close(torch.cat(single, dim=1), whole)


def test_a_layer_sees_places_ahead_alone() -> None:
    torch.manual_seed(0)
    layer = CausalLayer(8, 2)
    torch.nn.init.normal_(layer.out.weight)
    x, bias = torch.randn(3, 5, 8), torch.randn(3, 2, 5, 5)
    whole, _ = layer(x, bias)
    changed = x.clone()
    changed[:, 3] += 1
    torch.testing.assert_close(layer(changed, bias)[0][:, :3], whole[:, :3])
    assert not torch.allclose(layer(changed, bias)[0][:, 3:], whole[:, 3:])
    assert not torch.allclose(layer(x, torch.zeros_like(bias))[0], whole)


@torch.no_grad()
def test_draws_are_as_frequent_as_they_are_likely(model: GraphSequence) -> None:
    n = 20_000
    tokens, lengths = model.draw(n, torch.Generator().manual_seed(0))
    filled = torch.arange(PLACES) < lengths[:, None]
    assert not tokens[~filled].any()
    graphs = all_graphs(2)
    likely = model(graphs, torch.full((len(graphs),), 2)).exp()
    for graph, expected in zip(graphs, likely.tolist(), strict=True):
        found = ((lengths == 2) & (tokens[:, :2] == graph).all(2).all(1)).double().mean().item()
        assert found == pytest.approx(expected, abs=5 * math.sqrt(expected / n) + 1e-4)


@torch.no_grad()
def test_edges_lead_to_nodes_ahead_the_nearest_first(model: GraphSequence) -> None:
    tokens, lengths = model.draw(2000, torch.Generator().manual_seed(0))
    known = {tuple(each) for ahead in range(PLACES) for each in places(ahead)}
    for graph, n in zip(tokens.tolist(), lengths.tolist(), strict=True):
        assert all(tuple(place) in known for place in graph[:n])
        assert all(tuple(place) in set(map(tuple, places(i))) for i, place in enumerate(graph[:n]))


def test_draws_follow_the_generator(model: GraphSequence) -> None:
    first, again, other = (model.draw(30, torch.Generator().manual_seed(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_low_temperature_draws_the_likeliest(model: GraphSequence) -> None:
    tokens, lengths = model.draw(50, torch.Generator().manual_seed(0), temperature=1e-4)
    assert len(set(lengths.tolist())) == 1
    assert (tokens == tokens[0]).all()
