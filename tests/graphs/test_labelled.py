from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Data

from molae.errors import DataError, RowError
from molae.graphs.arrays import decode, encode
from molae.graphs.convert import from_networkx, from_pyg, to_networkx, to_pyg
from molae.graphs.labelled import LabelledGraph, as_directed, labelled_graph
from molae.graphs.vocabulary import AttributeChoice, Number, Vocabulary, collect_vocabulary


def coloured_path() -> nx.Graph:
    graph = nx.path_graph(["a", "b", "c"])
    nx.set_node_attributes(graph, {"a": "red", "b": "blue", "c": "red"}, "colour")
    nx.set_edge_attributes(graph, {("a", "b"): 7, ("b", "c"): 9}, "kind")
    return graph


def assert_refused(kind: str, call, *arguments: object) -> str:
    with pytest.raises(RowError) as caught:
        call(*arguments)
    assert caught.value.kind == kind
    return caught.value.reason


def same(first: nx.Graph, second: nx.Graph) -> bool:
    return nx.is_isomorphic(first, second, dict.__eq__, dict.__eq__)


def test_labels_come_back() -> None:
    graph = from_networkx(coloured_path())
    vocabulary = collect_vocabulary([graph])
    assert vocabulary == Vocabulary(nodes=(("colour", ("blue", "red")),), edges=("kind", (7, 9)))
    assert (vocabulary.node_channels, vocabulary.edge_types) == ((("colour", 2),), 3)
    arrays = encode(graph, vocabulary, 3)
    assert arrays.pos is None
    assert same(to_networkx(decode(arrays.nodes, arrays.edges, vocabulary)), coloured_path())


def test_a_vocabulary_survives_json() -> None:
    vocabulary = Vocabulary(nodes=(("x", (1, "1", "b")),), edges=("y", (3,)))
    assert Vocabulary.model_validate_json(vocabulary.model_dump_json()) == vocabulary


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_graphs_without_labels_come_back(size: int, seed: int) -> None:
    graph = nx.gnp_random_graph(size, 0.4, seed=seed)
    vocabulary = collect_vocabulary([from_networkx(graph)])
    assert (vocabulary.node_channels, vocabulary.edge_types) == ((("node", 1),), 2)
    arrays = encode(from_networkx(graph), vocabulary, size)
    assert nx.utils.graphs_equal(to_networkx(decode(arrays.nodes, arrays.edges, vocabulary)), graph)


def test_edges_may_be_listed_in_both_directions() -> None:
    graph = labelled_graph(3, np.array([[1, 0], [0, 1], [2, 1]]), edge_labels={"kind": [5, 5, 6]})
    assert graph.pairs.tolist() == [[0, 1], [1, 2]]
    assert graph.edge_labels == {"kind": [5, 6]}


def test_impossible_edges_are_refused() -> None:
    assert_refused("no_nodes", labelled_graph, 0, np.zeros((0, 2)))
    assert "node 1 to itself" in assert_refused("self_loop", labelled_graph, 2, np.array([[1, 1]]))
    assert "node 2" in assert_refused("no_such_node", labelled_graph, 2, np.array([[0, 2]]))
    assert_refused("conflict", labelled_graph, 2, np.array([[0, 1], [1, 0]]), {}, {"kind": [1, 2]})


def test_networkx_graphs_that_are_none_of_ours_are_refused() -> None:
    assert_refused("multi_edge", from_networkx, nx.MultiDiGraph([(0, 1), (0, 1)]))
    assert_refused("multi_edge", from_networkx, nx.MultiGraph([(0, 1), (1, 0)]))
    assert_refused("self_loop", from_networkx, nx.Graph([(0, 0)]))
    assert_refused("no_nodes", from_networkx, nx.Graph())
    assert len(from_networkx(nx.MultiGraph([(0, 1), (1, 2)])).pairs) == 2


def test_what_some_nodes_have_stops_those_models_alone_that_read_it() -> None:
    half = coloured_path()
    half.nodes["b"]["note"] = "seen"
    graph = from_networkx(half)
    assert set(graph.node_labels) == {"colour"}
    assert "not all nodes have" in assert_refused(
        "no_label", encode, graph, Vocabulary(nodes=(("note", ("seen",)),)), 9
    )


def test_pyg_graphs() -> None:
    both = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    graph = from_pyg(Data(x=x, edge_index=both, edge_attr=torch.tensor([4, 4, 5, 5])))
    assert graph.directed is None
    assert collect_vocabulary([graph]).nodes == (("x", (0, 1)),)
    assert as_directed(graph, False).edge_labels == {"edge_attr": [4, 5]}
    assert len(as_directed(graph, True).pairs) == 4
    two = from_pyg(Data(x=torch.tensor([[1, 2], [3, 4], [5, 6]]), edge_index=both))
    assert two.node_labels == {"x0": [1, 3, 5], "x1": [2, 4, 6]}
    assert len(from_pyg(Data(edge_index=both[:, :0], num_nodes=4))) == 4
    assert from_pyg(Data(edge_index=both[:, :1], num_nodes=2)).directed
    assert from_pyg(Data(edge_index=both, edge_attr=torch.tensor([1, 2, 3, 3]), num_nodes=3)).directed
    assert_refused("no_edges", from_pyg, Data(x=x))
    assert_refused("no_nodes", from_pyg, Data(edge_index=both[:, :0], num_nodes=0))
    twice = torch.cat([both, both[:, :1]], dim=1)
    assert_refused(
        "conflict", from_pyg, Data(edge_index=twice, edge_attr=torch.tensor([1, 1, 3, 3, 2]), num_nodes=3)
    )


def test_only_chosen_attributes_count() -> None:
    graph = coloured_path()
    nx.set_node_attributes(graph, 0.5, "weight")
    nx.set_edge_attributes(graph, 1, "other")
    labelled = from_networkx(graph)
    with pytest.raises(DataError, match="attributes kind, other: name one"):
        collect_vocabulary([labelled], AttributeChoice(["colour"]))
    with pytest.raises(DataError, match="no attribute 'color': did you mean 'colour'"):
        collect_vocabulary([from_networkx(coloured_path())], AttributeChoice(["color"]))
    chosen = collect_vocabulary([labelled], AttributeChoice(["colour"], ["other"]))
    assert chosen == Vocabulary(nodes=(("colour", ("blue", "red")),), edges=("other", (1,)))


def test_what_a_model_does_not_know_is_refused() -> None:
    graph = from_networkx(coloured_path())
    vocabulary = Vocabulary(nodes=(("colour", ("red",)),))
    assert "3 nodes, the model takes at most 2" in assert_refused("too_large", encode, graph, vocabulary, 2)
    assert "'blue'" in assert_refused("label", encode, graph, vocabulary, 9)
    bare = LabelledGraph(2, np.array([[0, 1]]))
    assert_refused("no_label", encode, bare, vocabulary, 9)
    assert_refused("no_label", encode, bare, Vocabulary(edges=("kind", (1,))), 9)
    odd = LabelledGraph(1, np.zeros((0, 2), dtype=int), {"colour": [[1, 2]]})
    assert_refused("label", encode, odd, vocabulary, 9)


def test_too_many_labels() -> None:
    graph = labelled_graph(300, np.zeros((0, 2)), {"name": list(range(300))})
    with pytest.raises(DataError, match="300 labels, at most 255"):
        collect_vocabulary([graph])
    (number,) = collect_vocabulary([graph], AttributeChoice(numbers=["name"])).node_numbers
    assert (number.name, number.centre) == ("name", pytest.approx(149.5))


def measured(directed: bool) -> nx.Graph:
    """Labels and numbers on nodes and edges, and edges in both directions where there are directions."""
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 1), (3, 0)]) if directed else nx.path_graph(4)
    for node in graph:
        graph.nodes[node].update(colour="red" if node else "blue", mass=1.5 * node, charge=-1e6 + node)
    for number, edge in enumerate(graph.edges):
        graph.edges[edge].update(kind=number % 2, length=0.5 - number)
    return graph


def close(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(
        second[key] == (pytest.approx(value, abs=1e-5) if isinstance(value, float) else value)
        for key, value in first.items()
    )


@pytest.mark.parametrize("directed", [False, True])
def test_numbers_and_directions_come_back(directed: bool) -> None:
    graph = measured(directed)
    vocabulary = collect_vocabulary([from_networkx(graph)])
    assert [number.name for number in vocabulary.node_numbers] == ["charge", "mass"]
    assert vocabulary.directed is directed
    assert vocabulary.mutual == (((1, 2), (2, 1)) if directed else ())
    assert "directed graphs; nodes: colour (2 labels), charge (continuous, -1e+06" in vocabulary.describe()
    arrays = encode(from_networkx(graph), vocabulary, 4)
    assert arrays.numbers is not None
    np.testing.assert_allclose(arrays.numbers.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(arrays.numbers.std(0), 1, rtol=1e-6)
    made = decode(arrays.nodes, arrays.edges, vocabulary, arrays.numbers, arrays.edge_numbers)
    back = to_networkx(made)
    assert back.is_directed() is directed
    assert nx.is_isomorphic(graph, back, close, close)
    data = to_pyg(made)
    assert data.edge_index.shape == (2, 4 if directed else 6)
    assert data.edge_length.dtype == torch.float32
    again = from_pyg(Data(edge_index=data.edge_index, edge_attr=data.edge_kind, x=data.mass, num_nodes=4))
    assert bool(again.directed) is directed
    assert same(to_networkx(as_directed(again, directed)).__class__(back.edges), back.__class__(graph.edges))


def test_a_pair_looks_the_other_way_round_from_its_other_node() -> None:
    vocabulary = Vocabulary(edges=("kind", ("a", "b")), directed=True, mutual=((1, 1), (1, 2), (2, 1)))
    assert vocabulary.directions == ((0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 1))
    assert vocabulary.reversed_edges == (0, 3, 4, 1, 2, 5, 7, 6)
    assert Vocabulary(edges=("kind", ("a", "b"))).reversed_edges == (0, 1, 2)
    graph = labelled_graph(2, np.array([[0, 1], [1, 0]]), {}, {"kind": ["b", "b"]}, directed=True)
    assert "both directions" in assert_refused("label", encode, graph, vocabulary, 2)


def test_what_is_no_number_is_refused_by_name() -> None:
    graph = measured(True)
    vocabulary = collect_vocabulary([from_networkx(graph)])
    for value, kind in ((float("nan"), "not_finite"), (float("inf"), "not_finite"), ("heavy", "number")):
        graph.nodes[2]["mass"] = value
        reason = assert_refused(kind, encode, from_networkx(graph), vocabulary, 9)
        assert "attribute 'mass' is" in reason
        assert reason.endswith("at node 2")
    graph.nodes[2]["mass"] = 1
    graph.edges[1, 2]["length"] = float("nan")
    assert "on the edge from node 1 to 2" in assert_refused(
        "not_finite", encode, from_networkx(graph), vocabulary, 9
    )
    graph.edges[1, 2]["length"] = 1
    assert len(encode(from_networkx(graph), vocabulary, 9)) == 4


def test_numbers_that_are_not_finite_do_not_spoil_the_scale() -> None:
    odd = labelled_graph(3, np.zeros((0, 2)), {"mass": [1.0, float("nan"), 3.0]})
    assert collect_vocabulary([odd]).node_numbers == (Number(name="mass", centre=2.0, scale=1.0),)
    huge = labelled_graph(2, np.zeros((0, 2)), {"mass": [1e300, -1e300]})
    assert collect_vocabulary([huge]).node_numbers[0].scale == pytest.approx(1e300)
    alike = labelled_graph(3, np.zeros((0, 2)), {"mass": [0.1, 0.1, 0.1]})
    assert collect_vocabulary([alike]).node_numbers[0].scale == 1
    mixed = labelled_graph(2, np.zeros((0, 2)), {"mass": [0.1, "heavy"]})
    with pytest.raises(DataError, match="'mass' holds numbers, and 'heavy'"):
        collect_vocabulary([mixed])


def test_vectors_are_labels_if_they_are_one_hot_in_all_graphs() -> None:
    hot = labelled_graph(2, np.zeros((0, 2)), {"x": np.array([[0.0, 1.0], [1.0, 0.0]])})
    other = labelled_graph(2, np.zeros((0, 2)), {"x": np.array([[0.5, 1.0], [1.0, 0.0]])})
    assert collect_vocabulary([hot]).nodes == (("x", (0, 1)),)
    both = collect_vocabulary([hot, other])
    assert [number.name for number in both.node_numbers] == ["x0", "x1"]
    assert not both.nodes
    assert encode(hot, both, 2).numbers is not None
    placed = nx.empty_graph(2)
    nx.set_node_attributes(placed, {0: (0.0, 1.5), 1: (2.0, 0.5)}, "pos")
    assert len(collect_vocabulary([from_networkx(placed)]).node_numbers) == 2


def test_graphs_of_the_rarer_kind_are_refused() -> None:
    one, other = from_networkx(nx.path_graph(3)), from_networkx(nx.DiGraph([(0, 1)]))
    mostly = collect_vocabulary([one, one, other])
    assert not mostly.directed
    assert "to_undirected" in assert_refused("directed", encode, other, mostly, 9)
    directed = collect_vocabulary([one, other, other])
    assert directed.directed
    assert "to_directed" in assert_refused("undirected", encode, one, directed, 9)
    assert collect_vocabulary([one, other], AttributeChoice(directed=True)).directed


def test_vocabularies_that_fit_nothing_are_refused() -> None:
    for mutual in ([(1, 2)], [(1, 1), (1, 1)], [(0, 0)], [(3, 3)]):
        with pytest.raises(ValueError, match="mutual must"):
            Vocabulary(edges=("kind", ("a", "b")), directed=True, mutual=mutual)
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="scale"):
            Number(name="mass", scale=scale)
