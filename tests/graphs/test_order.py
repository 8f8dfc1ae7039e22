"""The order of a graph without positions is canonical: isomorphic graphs have the same arrays."""

from __future__ import annotations

import sys

import networkx as nx
import numpy as np
import pytest
from families import INDISTINCT, SYMMETRIC, arrays, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from molae.errors import MolaeError
from molae.graphs.order import order_nodes
from molae.graphs.refine import neighbourhoods, rank, refine


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


def test_no_nodes() -> None:
    order = order_nodes(np.zeros((0, 1), dtype=np.int64), np.zeros((0, 0), dtype=np.int64))
    assert len(order.slot) == len(order.tie) == 0


def test_a_missing_igraph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    form(*arrays(nx.gnp_random_graph(20, 0.5, seed=0)))
    with pytest.raises(MolaeError, match=r"molae\[graphs\]"):
        form(*arrays(nx.petersen_graph()))
