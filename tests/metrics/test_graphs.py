"""The metrics of graphs on cases made by hand."""

from __future__ import annotations

from itertools import combinations, permutations

import networkx as nx
import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from molae.metrics.graph_sets import CLUSTERING_BINS, compare_sets, orbit_counts
from molae.metrics.graphs import GraphReconstruction, isomorphic, summarise_graphs

#: Edges and orbits of the nodes of the nine connected graphs of two to four nodes.
SUBGRAPHS = [
    (((0, 1),), (0, 0)),
    (((0, 1), (1, 2)), (1, 2, 1)),
    (((0, 1), (1, 2), (0, 2)), (3, 3, 3)),
    (((0, 1), (1, 2), (2, 3)), (4, 5, 5, 4)),
    (((0, 1), (0, 2), (0, 3)), (7, 6, 6, 6)),
    (((0, 1), (1, 2), (2, 3), (0, 3)), (8, 8, 8, 8)),
    (((0, 1), (1, 2), (1, 3), (2, 3)), (9, 11, 10, 10)),
    (((0, 1), (1, 2), (2, 3), (0, 3), (0, 2)), (13, 12, 13, 12)),
    (tuple(combinations(range(4), 2)), (14, 14, 14, 14)),
]


def matrix(graph: nx.Graph) -> np.ndarray:
    return nx.to_numpy_array(graph, dtype=np.int64)


def counted_one_by_one(graph: nx.Graph) -> np.ndarray:
    counts = np.zeros(15)
    for edges, orbits in SUBGRAPHS:
        wanted = {frozenset(edge) for edge in edges}
        for nodes in combinations(graph, len(orbits)):
            found = {frozenset(edge) for edge in graph.subgraph(nodes).edges}
            for order in permutations(nodes):
                if {frozenset((order[i], order[j])) for i, j in edges} == found and len(found) == len(wanted):
                    np.add.at(counts, list(orbits), 1)
                    break
    return counts / len(graph)


@pytest.mark.parametrize("seed", range(6))
def test_orbits_are_counted_right(seed: int) -> None:
    graph = nx.gnp_random_graph(7 + seed % 2, 0.25 + 0.1 * seed, seed=seed)
    np.testing.assert_allclose(orbit_counts(matrix(graph)), counted_one_by_one(graph))


def test_equal_sets_have_no_discrepancy() -> None:
    graphs = [matrix(nx.gnp_random_graph(10, 0.4, seed=seed)) for seed in range(5)]
    assert all(abs(value) < 1e-12 for value in compare_sets(graphs, graphs[::-1]).values())


def test_discrepancies_of_two_graphs_by_hand() -> None:
    path, triangle = matrix(nx.path_graph(3)), matrix(nx.complete_graph(3))
    figures = compare_sets([path], [triangle])
    # Degrees 1, 2, 1 against 2, 2, 2.
    away = wasserstein_distance([1, 2, 1], [2, 2, 2])
    assert figures["degree_mmd"] == pytest.approx(2 - 2 * np.exp(-(away**2) / 2))
    # Clustering 0 against 1, all bins but one apart.
    away = (CLUSTERING_BINS - 1) / CLUSTERING_BINS
    assert figures["clustering_mmd"] == pytest.approx(2 - 2 * np.exp(-(away**2) / (2 * 0.1**2)))
    # 4/3 against 2 edges at a node, 2/3 and 1/3 ends and middles, 1 triangle.
    square = (2 / 3) ** 2 + (2 / 3) ** 2 + (1 / 3) ** 2 + 1
    assert figures["orbit_mmd"] == pytest.approx(2 - 2 * np.exp(-square / (2 * 30**2)))


def test_like_sets_are_nearer_than_unlike_ones() -> None:
    def random_set(probability: float, seeds: range) -> list[np.ndarray]:
        return [matrix(nx.gnp_random_graph(12, probability, seed=seed)) for seed in seeds]

    like = compare_sets(random_set(0.3, range(30)), random_set(0.3, range(30, 60)))
    unlike = compare_sets(random_set(0.3, range(30)), random_set(0.6, range(60, 90)))
    assert all(like[name] < unlike[name] for name in like)


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1 and 0"):
        compare_sets([np.zeros((1, 1), dtype=np.int64)], [])


def test_isomorphism_knows_categories() -> None:
    nodes, edges = np.array([[0], [1], [0]]), np.array([[0, 1, 0], [1, 0, 2], [0, 2, 0]])
    index = np.array([2, 0, 1])
    same = nodes[index], edges[np.ix_(index, index)]
    assert isomorphic(nodes, edges, *same)
    assert not isomorphic(nodes, edges, nodes[::-1].copy(), np.minimum(edges, 1))
    assert not isomorphic(nodes, edges, np.array([[0], [0], [1]]), edges)
    assert not isomorphic(nodes, edges, nodes[:2], edges[:2, :2])
    rows, columns = matrix(nx.circular_ladder_graph(6)), matrix(nx.circulant_graph(12, [1, 6]))
    alike = np.zeros((12, 1), dtype=np.int64)
    assert not isomorphic(alike, rows, alike, columns)


def test_edges_are_scored_pair_by_pair() -> None:
    good = GraphReconstruction(True, np.array([0.9, 0.2, 0.1]), np.array([1, 0, 0]))
    bad = GraphReconstruction(False, np.array([0.6, 0.5]), np.array([0, 1]))
    assert good.edge_nll == pytest.approx(-np.log(0.9 * 0.8 * 0.9))
    figures = summarise_graphs([good, bad])
    assert figures["count"] == 2
    assert figures["exact_rate"] == 0.5
    assert figures["edge_nll"] == pytest.approx((good.edge_nll + bad.edge_nll) / 2)
    # Of the six pairs of an edge and a gap, one edge lies below one gap.
    assert figures["edge_auc"] == pytest.approx(5 / 6)
    assert figures["edge_accuracy"] == pytest.approx(3 / 5)


def test_nothing_to_average() -> None:
    assert summarise_graphs([])["count"] == 0
    lone = GraphReconstruction(True, np.zeros(0), np.zeros(0, dtype=np.int64))
    figures = summarise_graphs([lone])
    assert figures["edge_nll"] == 0
    assert np.isnan(figures["edge_auc"])


def test_a_certain_mistake_costs_much_but_not_everything() -> None:
    assert np.isfinite(GraphReconstruction(False, np.array([0.0]), np.array([1])).edge_nll)


def test_errors_of_numbers_are_averaged_over_all_nodes_of_all_graphs() -> None:
    def one(*errors: float, **others: np.ndarray) -> GraphReconstruction:
        return GraphReconstruction(
            True, np.array([0.1]), np.array([0]), {"node_mass": np.array(errors), **others}
        )

    figures = summarise_graphs([one(3.0), one(0.0, 0.0, -1.0, edge_length=np.zeros(0))])
    assert figures["node_mass_rmse"] == pytest.approx(np.sqrt(10 / 4))
    assert np.isnan(figures["edge_length_rmse"])
    assert figures["exact_rate"] == 1


def test_directions_count_for_isomorphism() -> None:
    nodes = np.zeros((3, 1), dtype=np.int64)
    path, sink, back = np.zeros((3, 3, 3), dtype=np.int64)
    for matrix, ends in ((path, [(0, 1), (1, 2)]), (sink, [(0, 1), (2, 1)]), (back, [(2, 1), (1, 0)])):
        for i, j in ends:
            matrix[i, j], matrix[j, i] = 1, 2
    assert isomorphic(nodes, path, nodes, back)
    assert not isomorphic(nodes, path, nodes, sink)
