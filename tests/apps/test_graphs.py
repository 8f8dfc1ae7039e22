"""Users' own graphs: to vectors and back."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from smallgraphs import (
    directed_graphs,
    directed_model,
    known_graphs,
    small_graph_model,
    write_tu_folder,
)
from smallmodel import small_model
from torch_geometric.utils import from_networkx as to_pyg

import molae
from molae.apps.embed import to_batch
from molae.apps.evaluate_graphs import compare_graphs, evaluate_graphs
from molae.apps.reading import try_sample
from molae.apps.rows import Source
from molae.apps.samples import Sample
from molae.batch.collate import collate
from molae.batch.packed import PackedDataset
from molae.checkpoint import load_checkpoint, save_checkpoint
from molae.errors import ConfigError, DataError, RowError
from molae.graphs.arrays import encode
from molae.graphs.convert import from_networkx
from molae.graphs.statistics import STATISTICS, graph_statistics
from molae.metrics.graphs import summarise_graphs


def renumbered(graph: nx.Graph, random: np.random.Generator) -> nx.Graph:
    """The same graph, with its nodes listed in another order and called otherwise."""
    names = {node: f"node {place}" for node, place in zip(graph, random.permutation(len(graph)), strict=True)}
    shuffled = graph.__class__()
    shuffled.add_nodes_from((names[node], graph.nodes[node]) for node in random.permutation(list(graph)))
    shuffled.add_edges_from(
        (names[i], names[j], data) if graph.is_directed() else (names[j], names[i], data)
        for i, j, data in graph.edges(data=True)
    )
    return shuffled


def test_vectors_do_not_depend_on_the_numbering() -> None:
    random = np.random.default_rng(0)
    vectors = molae.embed(known_graphs(), small_graph_model())
    assert vectors.shape == (8, 16)
    again = molae.embed([renumbered(graph, random) for graph in known_graphs()], small_graph_model())
    np.testing.assert_array_equal(vectors, again)


def test_graphs_come_back_with_their_labels() -> None:
    decoded = molae.decode_graphs(molae.embed(known_graphs(), small_graph_model()), small_graph_model())
    for graph, found in zip(known_graphs(), decoded, strict=True):
        assert nx.is_isomorphic(graph, found, dict.__eq__, dict.__eq__)


def test_directed_graphs_with_numbers_come_back() -> None:
    random = np.random.default_rng(0)
    graphs, model = directed_graphs(), directed_model()
    codes = molae.embed(graphs, model)
    shuffled = [renumbered(graph, random) for graph in graphs]
    np.testing.assert_allclose(molae.embed(shuffled, model), codes, atol=1e-5)
    assert min(np.abs(codes[i] - codes[j]).max() for i in range(8) for j in range(i)) > 0.01

    def near(first: dict, second: dict) -> bool:
        return all(abs(first[name] - second[name]) < TOLERANCES[name] for name in first)

    for graph, found in zip(graphs, molae.decode_graphs(codes, model), strict=True):
        assert isinstance(found, nx.DiGraph)
        assert nx.is_isomorphic(graph, found, near, near)
    for graph, data in zip(graphs, molae.decode_graphs(codes, model, form="pyg"), strict=True):
        assert data.edge_index.shape == (2, graph.number_of_edges())
        assert (data.mass.shape, data.edge_length.shape) == ((len(graph),), (graph.number_of_edges(),))
    with pytest.raises(ConfigError, match="form: expected networkx or pyg"):
        molae.decode_graphs(codes, model, form="dot")  # type: ignore[arg-type]


TOLERANCES = {"mass": 1.0, "charge": 0.1, "length": 0.03}


def test_errors_of_numbers_are_reported_in_their_units() -> None:
    model = directed_model()
    samples = [try_sample(from_networkx(graph), model.schema) for graph in directed_graphs()]
    figures = summarise_graphs(compare_graphs(model, [each for each in samples if isinstance(each, Sample)]))
    assert figures["exact_rate"] == 1
    assert 0 < figures["node_mass_rmse"] < 0.5
    assert 0 < figures["node_charge_rmse"] < 0.05
    assert 0 < figures["edge_length_rmse"] < 0.015
    evaluated = model.evaluate(to_batch(model, [each for each in samples if isinstance(each, Sample)]))
    assert evaluated["exact"].all()
    assert evaluated["numbers_rmse"].max() < 0.05


def test_a_saved_directed_model_keeps_directions_and_scales(tmp_path: Path) -> None:
    save_checkpoint(directed_model(), tmp_path / "model")
    loaded = load_checkpoint(tmp_path / "model")
    assert loaded.schema == directed_model().schema
    np.testing.assert_array_equal(
        molae.embed(directed_graphs(), tmp_path / "model"), molae.embed(directed_graphs(), directed_model())
    )


def test_directed_graphs_that_the_model_cannot_take() -> None:
    odd, plain = directed_graphs()[2], nx.path_graph(3)
    odd.nodes[1]["mass"] = float("nan")
    with pytest.raises(
        RowError, match="molecule 0: node attribute 'mass' is nan, not a finite number, at node 1"
    ):
        molae.embed([odd], directed_model(), on_error="fail")
    with pytest.raises(RowError, match="molecule 0: an undirected graph"):
        molae.embed([plain], directed_model(), on_error="fail")


def test_new_directed_graphs_have_numbers() -> None:
    codes = molae.embed(directed_graphs(), directed_model())
    for graph in molae.generate_graphs(
        5, codes, directed_model(), prior={"name": "mixture", "components": 2}
    ):
        assert isinstance(graph, nx.DiGraph)
        assert all(isinstance(data["mass"], float) for _, data in graph.nodes(data=True))


def test_numbers_and_directions_are_packed(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.safetensors" for name in ("all", "first", "second")]
    graphs = directed_graphs()
    for path, some in zip(paths, (graphs, graphs[:4], graphs[4:]), strict=True):
        molae.pack_graphs(some, path, max_nodes=6)
    whole, first, second = map(PackedDataset.load, paths)
    labels = whole.schema.labels
    assert labels is not None
    assert labels.directed
    for number, graph in enumerate(graphs):
        batch = whole.batch(np.array([number]))
        record = encode(from_networkx(graph), labels, 6)
        expected = collate([record]).renumber(torch.from_numpy(np.argsort(record.slot))[None])
        for name in ("nodes", "edges", "numbers", "edge_numbers"):
            torch.testing.assert_close(getattr(batch, name), getattr(expected, name), equal_nan=True)
    joined = first + second
    assert joined.schema.labels == first.schema.labels
    everything = np.arange(len(graphs))
    assert first.schema.labels is not None
    for name in ("numbers", "edge_numbers"):
        values = getattr(joined.rescaled(whole.schema).batch(everything), name)
        torch.testing.assert_close(
            values, getattr(whole.batch(everything), name), equal_nan=True, atol=1e-4, rtol=1e-4
        )
    some = whole.subset(np.array([5, 2])).batch(np.arange(2))
    torch.testing.assert_close(some.numbers, whole.batch(np.array([5, 2])).numbers)


def test_a_saved_model_keeps_the_labels(tmp_path: Path) -> None:
    save_checkpoint(small_graph_model(), tmp_path / "model")
    assert load_checkpoint(tmp_path / "model").schema == small_graph_model().schema
    np.testing.assert_array_equal(
        molae.embed(known_graphs(), tmp_path / "model"), molae.embed(known_graphs(), small_graph_model())
    )


def test_graphs_that_the_model_cannot_take_are_nan() -> None:
    odd = nx.path_graph(3)
    nx.set_node_attributes(odd, "green", "colour")
    nx.set_edge_attributes(odd, 3, "kind")
    large, bare = nx.path_graph(20), nx.path_graph(2)
    directed, loop, empty = nx.DiGraph([(0, 1)]), nx.Graph([(0, 0)]), nx.Graph()
    bad = [odd, large, bare, directed, loop, empty, "CCO", None, 3]
    vectors = molae.embed([*bad, known_graphs()[0]], small_graph_model())
    assert np.isnan(vectors).all(axis=1).tolist() == [True] * 9 + [False]
    with pytest.raises(RowError, match="molecule 0: node attribute 'colour' is 'green'"):
        molae.embed(bad, small_graph_model(), on_error="fail")


def test_a_single_graph_is_no_list() -> None:
    with pytest.raises(DataError, match="put it in a list"):
        molae.embed(nx.path_graph(3), small_graph_model())


def test_several_processes_read_alike() -> None:
    graphs = known_graphs()
    vectors = molae.embed(graphs, small_graph_model(), num_workers=1)
    np.testing.assert_array_equal(vectors, molae.embed(graphs, small_graph_model()))


def test_models_of_molecules_take_no_graphs_and_the_other_way_round() -> None:
    vectors = molae.embed([nx.path_graph(3), "CO"], small_model())
    assert np.isnan(vectors).all(axis=1).tolist() == [True, False]
    with pytest.raises(ConfigError, match="expected a model of molecules"):
        molae.reconstruct(["CO"], small_graph_model())
    with pytest.raises(ConfigError, match="expected a model of graphs"):
        molae.decode_graphs(np.zeros((1, 16)), small_model())


def test_codes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"shape \(n, 16\), got \(1, 4\)"):
        molae.decode_graphs(np.zeros((1, 4)), small_graph_model())
    with pytest.raises(ConfigError, match="not finite"):
        molae.decode_graphs(np.full((1, 16), np.nan), small_graph_model())


def test_packing_graphs_of_networkx_and_pyg(tmp_path: Path) -> None:
    graphs = [nx.path_graph(3), nx.DiGraph([(0, 1)]), to_pyg(nx.cycle_graph(4)), 7]
    summary = molae.pack_graphs(graphs, tmp_path / "x.safetensors")
    assert str(summary) == "2 of 4 rows ok; 2 failed (directed 1, type 1)"
    packed = PackedDataset.load(tmp_path / "x.safetensors")
    assert (packed.schema.max_nodes, packed.schema.coordinates) == (4, False)
    assert packed.rows.tolist() == [0, 2]
    assert packed.batch(np.array([1])).edges.sum() == 8


def test_statistics_are_packed_as_targets(tmp_path: Path) -> None:
    path = tmp_path / "graphs.safetensors"
    graphs = [nx.cycle_graph(5), nx.star_graph(6)]
    molae.pack_graphs(graphs, path, descriptors=True)
    packed = PackedDataset.load(path)
    assert packed.schema.targets == STATISTICS
    targets = packed.batch(np.arange(2)).targets
    assert targets is not None
    expected = [graph_statistics(nx.to_numpy_array(graph, dtype=int)) for graph in graphs]
    np.testing.assert_allclose(targets.numpy(), np.array(expected), rtol=1e-3, atol=1e-3)


def test_packing_leaves_out_what_is_too_large(tmp_path: Path) -> None:
    graphs = [nx.path_graph(3), nx.path_graph(9), nx.path_graph(300)]
    assert molae.pack_graphs(graphs, tmp_path / "x.safetensors", max_nodes=5).failed == {"too_large": 2}
    assert molae.pack_graphs(graphs, tmp_path / "x.safetensors").failed == {"too_large": 1}
    assert PackedDataset.load(tmp_path / "x.safetensors").schema.max_nodes == 255
    with pytest.raises(ConfigError, match="1 to 255"):
        molae.pack_graphs(graphs, tmp_path / "x.safetensors", max_nodes=256)


def test_packing_nothing_writes_nothing(tmp_path: Path) -> None:
    assert molae.pack_graphs([nx.Graph()], tmp_path / "x.safetensors").ok == 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="no attribute 'colour'"):
        molae.pack_graphs([nx.path_graph(2)], tmp_path / "x.safetensors", node_attributes=["colour"])


def test_embedding_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    molae.embed(known_graphs(), small_graph_model())
    assert torch.equal(before, torch.random.get_rng_state())


def test_new_graphs_are_drawn_alike_from_the_same_seed() -> None:
    codes = molae.embed(known_graphs(), small_graph_model())
    prior = {"name": "mixture", "components": 3}
    first, again, other = (
        molae.generate_graphs(20, codes, small_graph_model(), prior=prior, seed=seed) for seed in (0, 0, 1)
    )
    assert len(first) == 20
    assert all(nx.utils.graphs_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(nx.utils.graphs_equal(a, b) for a, b in zip(first, other, strict=True))
    assert all(nx.number_of_selfloops(graph) == 0 for graph in first)
    with pytest.raises(ConfigError, match="at least 2 in rows"):
        molae.generate_graphs(3, codes[:1], small_graph_model())


def test_the_protocol(tmp_path: Path) -> None:
    save_checkpoint(small_graph_model(), tmp_path / "model")
    folder = write_tu_folder(tmp_path / "DS", known_graphs())
    with pytest.raises(DataError, match="no graph that the model takes"):
        evaluate_graphs(Source(folder), tmp_path / "model")


def test_reconstructions_are_compared_in_input_order() -> None:
    graphs = known_graphs()
    samples = [try_sample(from_networkx(graph), small_graph_model().schema) for graph in graphs]
    assert all(isinstance(each, Sample) for each in samples)
    found = compare_graphs(small_graph_model(), samples, batch_size=3)
    for graph, each in zip(graphs, found, strict=True):
        assert each.exact
        assert each.edge_there.sum() == graph.number_of_edges()
        assert len(each.edge_there) == len(graph) * (len(graph) - 1) // 2
        assert each.edge_nll < 1
