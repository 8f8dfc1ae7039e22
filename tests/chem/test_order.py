from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molae.chem.featurise import featurise, ordered
from molae.chem.order import canonical_order
from molae.testing import Motion, all_graphs, mirror_image, shapes


def arrays(graph):
    return graph.nodes, graph.edges, graph.pos


def test_bonded_nodes_follow_each_other():
    """The order is a walk: every node but the first has a bond to an earlier one."""
    graph = all_graphs()["penicillin G"]
    order = np.argsort(graph.slot)
    edges = graph.edges[np.ix_(order, order)]
    assert all(edges[i, :i].any() for i in range(1, len(graph)))


def test_components_do_not_mix():
    nodes = np.zeros((4, 1), dtype=np.int64)
    edges = np.zeros((4, 4), dtype=np.int64)
    edges[0, 2] = edges[2, 0] = edges[1, 3] = edges[3, 1] = 1
    slot = canonical_order(nodes, edges, np.random.default_rng(0).normal(size=(4, 3))).slot
    assert abs(slot[0] - slot[2]) == 1
    assert abs(slot[1] - slot[3]) == 1


def test_coupled_ties_are_broken_together():
    """Of the 720 orders of benzene only those that go around the ring come out."""
    graph, random = shapes.benzene(), np.random.default_rng(0)
    form = graph.edges[np.ix_(*[np.argsort(graph.slot)] * 2)]
    for _ in range(20):
        moved = Motion.random(6, random).apply(graph)
        np.testing.assert_array_equal(moved.edges[np.ix_(*[np.argsort(moved.slot)] * 2)], form)


def test_atoms_that_only_a_reflection_exchanges_are_told_apart():
    """The carbons of cyclooctatetraene are all alike but for their hand; only a signed volume tells."""
    graph = shapes.cyclooctatetraene()
    assert canonical_order(*arrays(graph)).signed
    assert (graph.slot != graph.mirror_slot).any()
    hands = set()
    for seed in range(10):
        moved = Motion.random(8, np.random.default_rng(seed)).apply(graph)
        x = moved.pos[np.argsort(moved.slot)]
        hands.add(np.sign(np.linalg.det(x[2:5] - x[1])))
    assert len(hands) == 1


def test_a_choice_by_hand_below_the_tolerance_is_a_choice_by_hand():
    """Eight atoms in pairs 2.8 mÅ apart: tied to within the tolerance, the pairs told apart by their hand."""
    axis, plane = [(0, 0, 3), (0, 0, -3)], [(3, 3, 0), (-3, -3, 0), (3, -3, 0), (-3, 3, 0)]
    pairs = shapes.tub(1.0, 1.002, 0.4)
    graph = shapes.atoms([("C", 0, pairs), ("S", 0, [(0, 0, 0)]), ("O", 0, axis), ("N", 0, plane)])
    assert (graph.slot != graph.mirror_slot).any()
    np.testing.assert_array_equal(mirror_image(graph).slot, graph.mirror_slot)


def test_planar_graphs_have_one_order_for_both_images():
    graph = shapes.benzene()
    assert not canonical_order(*arrays(graph)).signed
    np.testing.assert_array_equal(graph.slot, graph.mirror_slot)


def test_ranks_number_the_nodes_that_the_graph_cannot_tell_apart():
    methane = shapes.methane()
    assert methane.tie[0] == 0
    assert sorted(methane.tie[1:]) == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [0, 1])
def test_the_smallest_graphs(size):
    nodes, edges = np.zeros((size, 2), dtype=np.int64), np.zeros((size, size), dtype=np.int64)
    graph = ordered(nodes, edges, np.zeros((size, 3)))
    assert graph.slot.tolist() == graph.tie.tolist() == list(range(size))


def test_shape_splits_what_refinement_cannot():
    """Decalin and bicyclopentyl look alike to refinement, but not to their positions."""
    decalin, bicyclopentyl = all_graphs()["decalin"], all_graphs()["bicyclopentyl"]
    forms = [g.edges[np.ix_(*[np.argsort(g.slot)] * 2)] for g in (decalin, bicyclopentyl)]
    assert (forms[0] != forms[1]).any()
    for graph in (decalin, bicyclopentyl):
        flat = [ordered(graph.nodes, graph.edges, None).tie.max() for _ in range(2)]
        assert flat == [graph.tie.max()] * 2


@pytest.mark.parametrize("smiles", ["[H]N=CC", "C1CC1N=C=N[H]", "CC(=N[H])C", "[H]C([H])([H])[H]"])
def test_a_hydrogen_that_is_a_node_begins_no_order_and_stays_by_its_neighbour(smiles):
    """One hydrogen written out, as RDKit keeps that of an imine, must not turn the order round."""
    reading = Chem.SmilesParserParams()
    reading.removeHs = False
    mol = Chem.MolFromSmiles(smiles, reading)
    slot = featurise(mol).slot
    hydrogens = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 1]
    assert hydrogens
    assert mol.GetAtomWithIdx(int(slot.argmin())).GetAtomicNum() > 1
    for atom in hydrogens:
        behind = slot[atom.GetIdx()] - slot[atom.GetNeighbors()[0].GetIdx()]
        assert 1 <= behind <= len(hydrogens)
