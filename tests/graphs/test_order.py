"""The order of a graph without positions is canonical: isomorphic graphs have the same arrays."""

from __future__ import annotations

import sys
from itertools import combinations, product

import networkx as nx
import numpy as np
import pytest
from families import INDISTINCT, SYMMETRIC, arrays, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from molae.errors import MolaeError
from molae.graphs.order import order_nodes
from molae.graphs.refine import neighbourhoods, rank, refine
from molae.metrics.graphs import canonical_key


def form(nodes: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Everything a model sees of a graph, in slot order."""
    order = order_nodes(nodes, edges)
    places = np.argsort(order.slot)
    assert sorted(order.slot) == list(range(len(nodes)))
    return nodes[places], edges[np.ix_(places, places)], order.tie[places]


def assert_same(first: tuple, second: tuple) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=60)
@given(graph=random_graphs(), seed=st.integers(0, 2**32 - 1))
def test_renumbering_changes_nothing(graph: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    nodes, edges = graph
    index = np.random.default_rng(seed).permutation(len(nodes))
    assert_same(form(nodes, edges), form(nodes[index], edges[np.ix_(index, index)]))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_renumbering_changes_nothing_in_symmetric_graphs(name: str) -> None:
    nodes, edges = arrays(SYMMETRIC[name])
    expected = form(nodes, edges)
    random = np.random.default_rng(0)
    for _ in range(5):
        index = random.permutation(len(nodes))
        assert_same(expected, form(nodes, edges[np.ix_(index, index)]))


@settings(max_examples=20)
@given(st.sampled_from(["rook", "Shrikhande", "Petersen", "Paley"]), st.integers(0, 2**32 - 1))
def test_categories_of_edges_break_symmetry_alike_in_every_numbering(name: str, seed: int) -> None:
    nodes, edges = arrays(SYMMETRIC[name])
    random = np.random.default_rng(seed)
    kinds = np.triu(random.integers(1, 4, size=edges.shape), 1)
    edges = edges * (kinds + kinds.T)
    index = random.permutation(len(nodes))
    assert_same(form(nodes, edges), form(nodes, edges[np.ix_(index, index)]))


@pytest.mark.parametrize(("first", "second"), INDISTINCT)
def test_graphs_that_refinement_takes_for_equal_stay_different(first: str, second: str) -> None:
    assert not nx.is_isomorphic(SYMMETRIC[first], SYMMETRIC[second])
    (_, one, tie), (_, other, same_tie) = (form(*arrays(SYMMETRIC[name])) for name in (first, second))
    assert one.shape == other.shape
    assert not np.array_equal(one, other)
    assert sorted(tie) == sorted(same_tie)


def test_refinement_alone_takes_nodes_for_alike_that_are_not() -> None:
    """Negative control: all nodes of Frucht's graph have three neighbours, and no symmetry joins any two."""
    nodes, edges = arrays(SYMMETRIC["Frucht"])
    assert len(np.unique(refine(rank([0] * len(edges)), *neighbourhoods(edges)))) == 1
    first, second = (order_nodes(nodes, edges) for _ in range(2))
    np.testing.assert_array_equal(first.slot, second.slot)
    assert sorted(first.tie) == list(range(len(edges)))


def test_neighbours_follow_one_another_in_a_path() -> None:
    nodes, edges = arrays(nx.path_graph(9))
    _, ordered, _ = form(nodes, edges)
    assert (np.diag(ordered, 1) == 1).all()


DIRECTED = {
    "cycle": nx.DiGraph(nx.cycle_graph(7, create_using=nx.DiGraph)),
    "cycles both ways round": nx.DiGraph([(0, 1), (1, 2), (2, 0), (4, 3), (5, 4), (3, 5)]),
    "Paley tournament": nx.DiGraph(nx.paley_graph(23)),
    "circulant": nx.DiGraph([(i, (i + k) % 12) for i in range(12) for k in (1, 3)]),
    "Kautz": nx.DiGraph(nx.line_graph(nx.complete_graph(4, create_using=nx.DiGraph))),
    "mixed": nx.DiGraph([(i, (i + k) % 9) for i in range(9) for k in (1, 8, 3)]),
}


def directed_arrays(graph: nx.DiGraph) -> tuple[np.ndarray, np.ndarray]:
    """Categories as of a vocabulary with one kind of edge: forwards 1, backwards 2, both 3."""
    there = nx.to_numpy_array(graph, dtype=np.int64, weight=None)
    return np.zeros((len(graph), 1), dtype=np.int64), there + 2 * there.T


@pytest.mark.parametrize("name", DIRECTED)
def test_renumbering_changes_nothing_in_symmetric_directed_graphs(name: str) -> None:
    nodes, edges = directed_arrays(DIRECTED[name])
    expected = form(nodes, edges)
    random = np.random.default_rng(0)
    for _ in range(10):
        index = random.permutation(len(nodes))
        assert_same(expected, form(nodes, edges[np.ix_(index, index)]))


def test_directions_tell_graphs_apart() -> None:
    def key(*edges: tuple[int, int]) -> bytes:
        return canonical_key(*directed_arrays(nx.DiGraph(edges)))

    assert key((0, 1), (1, 2), (2, 0)) == key((1, 0), (2, 1), (0, 2))
    different = [((0, 1), (1, 2)), ((0, 1), (2, 1)), ((1, 0), (1, 2)), ((0, 1), (1, 0), (1, 2))]
    assert len({key(*edges) for edges in different}) == 4
    ways = [((i, i + 1), (i + 1, i)) for i in range(3)]
    paths = [nx.DiGraph(pairs) for pairs in product(*ways)]
    for a, b in combinations(paths, 2):
        same = canonical_key(*directed_arrays(a)) == canonical_key(*directed_arrays(b))
        assert same == nx.is_isomorphic(a, b)


@settings(max_examples=60)
@given(graph=random_graphs(30), seed=st.integers(0, 2**32 - 1), values=st.integers(1, 5))
def test_numbers_break_ties_alike_in_every_numbering(graph: tuple, seed: int, values: int) -> None:
    nodes, edges = graph
    random = np.random.default_rng(seed)
    n = len(nodes)
    numbers = random.integers(values, size=(n, 2)).astype(np.float32) / 10
    numbers += np.float32(1e-5) * random.integers(2, size=(n, 2)).astype(np.float32)
    drawn = random.integers(values, size=(n, n, 1)).astype(np.float32)
    edge_numbers = np.where(edges[..., None] > 0, drawn + drawn.transpose(1, 0, 2), np.nan)
    index = random.permutation(n)
    pairs = np.ix_(index, index)
    expected = numbered_form(nodes, edges, numbers, edge_numbers)
    assert_same(expected, numbered_form(nodes[index], edges[pairs], numbers[index], edge_numbers[pairs]))


def numbered_form(
    nodes: np.ndarray, edges: np.ndarray, numbers: np.ndarray, edge_numbers: np.ndarray
) -> tuple:
    places = np.argsort(order_nodes(nodes, edges, numbers, edge_numbers).slot)
    pairs = np.ix_(places, places)
    return nodes[places], edges[pairs], numbers[places], edge_numbers[pairs]


def test_the_graph_comes_before_numbers_and_numbers_before_their_rounding() -> None:
    nodes, edges = arrays(nx.star_graph(4))
    numbers = np.array([[9.0, 0], [2, 0], [1, 0], [4, 0], [3, 0]])
    slot = order_nodes(nodes, edges, numbers).slot
    assert slot[np.argsort(numbers[1:, 0]) + 1].tolist() in ([0, 2, 3, 4], [1, 2, 3, 4])
    # The first number differs by rounding alone, so that the second decides.
    random = np.random.default_rng(0)
    second = np.array([9.0, 2, 1, 4, 3])
    for _ in range(5):
        noisy = np.stack([1e-6 * random.normal(size=5), second], axis=1)
        assert order_nodes(nodes, edges, noisy).slot.tolist() == slot.tolist()


def test_no_nodes() -> None:
    order = order_nodes(np.zeros((0, 1), dtype=np.int64), np.zeros((0, 0), dtype=np.int64))
    assert len(order.slot) == len(order.tie) == 0


def test_a_missing_igraph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    form(*arrays(nx.gnp_random_graph(20, 0.5, seed=0)))
    with pytest.raises(MolaeError, match=r"molae\[graphs\]"):
        form(*arrays(nx.petersen_graph()))
