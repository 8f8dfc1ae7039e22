"""The canonical order is the same for every pose and numbering."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molae.chem.featurise import ordered
from molae.testing import Motion, all_graphs, mirror_image, shapes
from molae.testing.strategies import graphs, molecules, motions

CUBE = shapes.points(shapes.octahedral((1.0, 1.0, 1.0)))
OCTAHEDRON = shapes.points(shapes.octahedral((1.0, 0.0, 0.0)))
SYMMETRIC = {
    **all_graphs(),
    "cube": CUBE,
    "octahedron": OCTAHEDRON,
    "C60": shapes.buckminsterfullerene(),
    "24 points on no mirror plane of T_d": shapes.points(shapes.tetrahedral((0.4, 1.1, 1.9))),
    "48 points on no mirror plane of O_h": shapes.points(shapes.octahedral((0.4, 1.1, 1.9))),
}
every_shape = pytest.mark.parametrize("graph", SYMMETRIC.values(), ids=SYMMETRIC.keys())


def canonical(graph):
    """Categories, edges, distances, and signed volumes with the centroid, all in slot order."""
    order = np.argsort(graph.slot)
    x = graph.pos[order] - graph.pos.mean(0)
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1)
    volumes = np.einsum("ix,jkx->ijk", x, np.cross(x[:, None], x[None]))
    return graph.nodes[order], graph.edges[np.ix_(order, order)], distances, volumes


def assert_same_form(first, second, tolerance):
    (nodes, edges, *geometry), (other_nodes, other_edges, *other_geometry) = map(canonical, (first, second))
    np.testing.assert_array_equal(nodes, other_nodes)
    np.testing.assert_array_equal(edges, other_edges)
    scale = max(1.0, np.abs(geometry[1]).max())
    np.testing.assert_allclose(geometry[0], other_geometry[0], atol=tolerance)
    np.testing.assert_allclose(geometry[1], other_geometry[1], atol=tolerance * scale)


@given(data=st.data(), graph=graphs())
def test_random_graphs_keep_their_canonical_form(data, graph):
    assert_same_form(data.draw(motions(len(graph))).apply(graph), graph, 1e-9)


@settings(max_examples=15)
@given(data=st.data(), graph=molecules())
def test_molecules_keep_their_canonical_form(data, graph):
    assert_same_form(data.draw(motions(len(graph))).apply(graph), graph, 1e-9)


@every_shape
def test_symmetric_shapes_keep_their_canonical_form(graph):
    random = np.random.default_rng(0)
    for _ in range(2 if len(graph) > 20 else 4):
        assert_same_form(Motion.random(len(graph), random).apply(graph), graph, 1e-9)


@every_shape
def test_noise_of_single_precision_moves_the_canonical_form_no_more_than_itself(graph):
    random = np.random.default_rng(1)
    noisy = replace(graph, pos=graph.pos + 1e-6 * random.standard_normal(graph.pos.shape))
    assert_same_form(Motion.random(len(graph), random).apply(noisy), graph, 1e-4)


@every_shape
def test_the_mirror_image_has_the_slots_that_its_graph_foretold(graph):
    image = mirror_image(graph)
    np.testing.assert_array_equal(image.slot, graph.mirror_slot)
    np.testing.assert_array_equal(image.mirror_slot, graph.slot)


@given(graph=graphs())
def test_slots_are_a_permutation_and_ranks_count_within_cells(graph):
    assert sorted(graph.slot) == list(range(len(graph)))
    assert sorted(graph.mirror_slot) == list(range(len(graph)))
    # Nodes of one cell look alike, and no two of them have the same rank.
    keys = {
        (*map(int, node), int((row > 0).sum())) for node, row in zip(graph.nodes, graph.edges, strict=True)
    }
    assert (graph.tie == 0).sum() >= len(keys)
    assert graph.tie.max() < len(graph)


@given(graph=graphs(), data=st.data())
def test_ranks_follow_the_nodes(graph, data):
    motion = data.draw(motions(len(graph)))
    moved = motion.apply(graph)
    np.testing.assert_array_equal(moved.tie[np.argsort(moved.slot)], graph.tie[np.argsort(graph.slot)])


def test_graphs_without_positions_are_ordered_by_their_edges():
    graph = all_graphs()["aspirin"]
    random = np.random.default_rng(0)
    flat = ordered(graph.nodes, graph.edges, None)
    moved = Motion.random(len(graph), random).apply(replace(graph, pos=None))
    first, second = (np.argsort(g.slot) for g in (flat, moved))
    np.testing.assert_array_equal(flat.nodes[first], moved.nodes[second])
    np.testing.assert_array_equal(flat.edges[np.ix_(first, first)], moved.edges[np.ix_(second, second)])
