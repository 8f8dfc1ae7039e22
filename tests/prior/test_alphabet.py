from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from wordspace import graph

from molae.prior.alphabet import Alphabet
from molae.prior.base import OrderedGraph

UNDIRECTED = np.arange(4)


def random_graph(seed: int, n: int, back: np.ndarray = UNDIRECTED) -> OrderedGraph:
    random = np.random.default_rng(seed)
    lower = np.tril(random.integers(0, 4, (n, n)) * (random.random((n, n)) < 0.5), -1)
    return OrderedGraph(random.integers(0, 3, (n, 2)), lower + back[lower].T * (lower.T > 0))


@given(st.integers(0, 1000), st.integers(0, 6))
def test_graphs_come_back_from_their_tokens(seed: int, n: int) -> None:
    some = random_graph(seed, n)
    alphabet = Alphabet(4, 6)
    alphabet.fit([some, random_graph(1, 6)])
    tokens = alphabet.tokens(some)
    assert tokens is not None
    assert tokens.shape == (n, 1 + alphabet.most_edges)
    again = alphabet.graph(tokens, UNDIRECTED)
    np.testing.assert_array_equal(again.nodes, some.nodes)
    np.testing.assert_array_equal(again.edges, some.edges)


def test_directions_come_back_too() -> None:
    back = np.array([0, 2, 1, 3])
    some = random_graph(0, 6, back)
    assert (some.edges != some.edges.T).any()
    alphabet = Alphabet(4, 6)
    alphabet.fit([some])
    np.testing.assert_array_equal(alphabet.graph(alphabet.tokens(some), back).edges, some.edges)


def test_the_nearest_edges_come_first_and_0_ends_them() -> None:
    alphabet = Alphabet(3, 4)
    some = graph("abaa", (0, 1, 1), (0, 2, 2), (1, 2, 1), (2, 3, 2))
    alphabet.fit([some])
    tokens = alphabet.tokens(some)
    reach, kind = np.divmod(tokens[:, 1:] - 1, 2)
    assert alphabet.most_edges == 2
    assert tokens[0, 1] == 0
    assert (reach[2] + 1).tolist() == [1, 2]
    assert (kind[2] + 1).tolist() == [1, 2]
    closed = tokens.copy()
    closed[3, 1:] = [0, tokens[3, 1]]
    assert not alphabet.graph(closed, UNDIRECTED[:3]).edges[3].any()


def test_edges_out_of_the_graph_are_none() -> None:
    alphabet = Alphabet(3, 4)
    some = graph("ab", (0, 1, 1))
    alphabet.fit([some])
    tokens = alphabet.tokens(some)
    tokens[1, 1] = 1 + 2 * 2
    assert not alphabet.graph(tokens, UNDIRECTED[:3]).edges.any()


@pytest.mark.parametrize(
    "unknown", [graph("b"), graph("aaa", (0, 2, 1), (1, 2, 1))], ids=["a node", "more edges"]
)
def test_graphs_unlike_those_it_knows_have_no_tokens(unknown: OrderedGraph) -> None:
    alphabet = Alphabet(3, 4)
    alphabet.fit([graph("aa", (0, 1, 1))])
    assert alphabet.tokens(unknown) is None


def test_nodes_that_are_alike_have_like_features_and_it_can_be_taken_over() -> None:
    alphabet, other = Alphabet(4, 6), Alphabet(4, 6)
    alphabet.fit([random_graph(1, 6)])
    other.restore({name: torch.clone(value) for name, value in alphabet.state().items()})
    torch.testing.assert_close(other.features, alphabet.features)
    assert other.most_edges == alphabet.most_edges
    # Of two channels: nodes that are alike in one of them share one number.
    kinds = alphabet.kinds
    shared = (kinds[:, None] == kinds).sum(2)
    torch.testing.assert_close(alphabet.features @ alphabet.features.T, torch.from_numpy(shared).float())
