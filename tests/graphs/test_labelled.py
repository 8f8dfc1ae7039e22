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
from molae.graphs.convert import from_networkx, from_pyg, to_networkx
from molae.graphs.labelled import LabelledGraph, labelled_graph
from molae.graphs.vocabulary import Vocabulary, collect_vocabulary


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
    assert "to_undirected" in assert_refused("directed", from_networkx, nx.DiGraph([(0, 1)]))
    assert_refused("multi_edge", from_networkx, nx.MultiGraph([(0, 1), (1, 0)]))
    assert_refused("self_loop", from_networkx, nx.Graph([(0, 0)]))
    assert_refused("no_nodes", from_networkx, nx.Graph())
    half = nx.path_graph(3)
    half.nodes[1]["colour"] = "red"
    assert "2 of 3 nodes" in assert_refused("no_label", from_networkx, half)
    assert len(from_networkx(nx.MultiGraph([(0, 1), (1, 2)])).pairs) == 2


def test_pyg_graphs() -> None:
    both = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    graph = from_pyg(Data(x=x, edge_index=both, edge_attr=torch.tensor([4, 4, 5, 5])))
    assert graph.node_labels == {"x": [1, 0, 1]}
    assert graph.edge_labels == {"edge_attr": [4, 5]}
    two = from_pyg(Data(x=torch.tensor([[1, 2], [3, 4], [5, 6]]), edge_index=both))
    assert two.node_labels == {"x0": [1, 3, 5], "x1": [2, 4, 6]}
    assert len(from_pyg(Data(edge_index=both[:, :0], num_nodes=4))) == 4
    assert "one-hot" in assert_refused("continuous", from_pyg, Data(x=0.5 * x, edge_index=both))
    assert_refused("directed", from_pyg, Data(edge_index=both[:, :1], num_nodes=2))
    assert_refused("no_edges", from_pyg, Data(x=x))
    assert_refused("no_nodes", from_pyg, Data(edge_index=both[:, :0], num_nodes=0))
    assert_refused(
        "conflict", from_pyg, Data(edge_index=both, edge_attr=torch.tensor([1, 2, 3, 3]), num_nodes=3)
    )


def test_only_chosen_attributes_count() -> None:
    graph = coloured_path()
    nx.set_node_attributes(graph, 0.5, "weight")
    nx.set_edge_attributes(graph, 1, "other")
    labelled = from_networkx(graph)
    with pytest.raises(DataError, match=r"'weight' holds 0\.5 \(float\)"):
        collect_vocabulary([labelled])
    with pytest.raises(DataError, match="attributes kind, other: name one"):
        collect_vocabulary([labelled], ["colour"])
    with pytest.raises(DataError, match="no attribute 'color': did you mean 'colour'"):
        collect_vocabulary([from_networkx(coloured_path())], ["color"])
    chosen = collect_vocabulary([labelled], ["colour"], "other")
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
