from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from molae.graphs.statistics import STATISTICS, graph_statistics


def of(graph):
    found = graph_statistics(nx.to_numpy_array(graph, dtype=int))
    assert found.shape == (len(STATISTICS),)
    return dict(zip(STATISTICS, found.tolist(), strict=True))


def test_they_are_those_of_networkx():
    graph = nx.karate_club_graph()
    found = of(nx.Graph(graph.edges))
    degrees = [degree for _, degree in graph.degree]
    assert found["nodes"] == 34
    assert found["edges"] == graph.number_of_edges()
    assert found["density"] == pytest.approx(nx.density(graph))
    assert found["degree mean"] == pytest.approx(np.mean(degrees))
    assert found["degree quantile 0.5"] == np.median(degrees)
    assert found["transitivity"] == pytest.approx(nx.transitivity(graph))
    assert found["clustering mean"] == pytest.approx(nx.average_clustering(nx.Graph(graph.edges)))
    assert found["assortativity"] == pytest.approx(nx.degree_assortativity_coefficient(graph))


def test_walks_return_as_often_as_they_do():
    walk = nx.to_numpy_array(nx.petersen_graph()) / 3
    found = of(nx.petersen_graph())
    for steps in (2, 5, 8):
        expected = np.trace(np.linalg.matrix_power(walk, steps)) / 10
        assert found[f"return after {steps}"] == pytest.approx(expected)


def test_the_numbering_does_not_matter():
    graph = nx.gnp_random_graph(20, 0.2, seed=1)
    edges = nx.to_numpy_array(graph, dtype=int)
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_allclose(
        graph_statistics(edges[np.ix_(order, order)]), graph_statistics(edges), atol=1e-9
    )


@pytest.mark.parametrize(
    "graph", [nx.empty_graph(1), nx.empty_graph(4), nx.complete_graph(5), nx.path_graph(2)]
)
def test_simple_graphs_have_them_but_for_what_is_not_defined(graph):
    found = of(graph)
    assert [name for name, value in found.items() if not np.isfinite(value)] == ["assortativity"]


def test_a_graph_without_nodes_has_none():
    assert np.isnan(graph_statistics(np.zeros((0, 0), dtype=int))).all()
