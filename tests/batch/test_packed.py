from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from molae.batch.dense import DenseBatch
from molae.batch.packed import PackedDataset, pack
from molae.errors import DataError
from molae.testing import SCHEMA, all_graphs, dense, mirror_image


@pytest.fixture(scope="module")
def graphs():
    return list(all_graphs().values())


@pytest.fixture(scope="module")
def dataset(graphs, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "graphs.safetensors"
    assert pack(((10 * i, graph) for i, graph in enumerate(graphs)), SCHEMA, path) == len(graphs)
    return PackedDataset.load(path)


def assert_same(first, second):
    for field in fields(DenseBatch):
        a, b = getattr(first, field.name), getattr(second, field.name)
        assert (a is b is None) or torch.equal(a, b), field.name


def in_slot_order(graphs):
    """What a packed batch should hold: nodes by slot, centred positions in float32."""
    centred = [replace(graph, pos=graph.pos - graph.pos.mean(0)) for graph in graphs]
    batch = dense(centred, torch.float32)
    return batch.renumber(batch.slot.argsort(1))


def test_a_batch_holds_what_was_packed(dataset, graphs):
    indices = np.array([0, 5, 3, 12])
    assert_same(dataset.batch(indices), in_slot_order([graphs[i] for i in indices]))


def test_all_graphs_in_one_batch(dataset, graphs):
    assert_same(dataset.batch(np.arange(len(graphs))), in_slot_order(graphs))


def test_a_batch_is_padded_to_its_own_largest_graph(dataset, graphs):
    assert len(dataset) == len(graphs)
    for index in (0, 3, len(graphs) - 1):
        assert dataset.batch(np.array([index])).mask.shape == (1, len(graphs[index]))


def test_rows_and_schema_are_kept(dataset, graphs):
    assert dataset.schema == SCHEMA
    assert dataset.rows.tolist() == [10 * i for i in range(len(graphs))]
    assert dataset.sizes.tolist() == [len(graph) for graph in graphs]


def test_a_packed_batch_can_be_mirrored(dataset, graphs):
    mirrored = dataset.batch(np.arange(len(graphs))).mirrored()
    expected = in_slot_order([mirror_image(graph) for graph in graphs])
    assert_same(mirrored.renumber(mirrored.slot.argsort(1)), expected)


def test_a_subset_has_the_graphs_in_the_order_asked_for(dataset):
    indices = np.array([7, 2, 2, 9])
    subset = dataset.subset(indices)
    assert subset.rows.tolist() == [70, 20, 20, 90]
    assert_same(subset.batch(np.arange(4)), dataset.batch(indices))


def test_graphs_with_nodes_that_a_reflection_exchanges(dataset, graphs):
    expected = [bool((graph.mirror_slot != graph.slot).any()) for graph in graphs]
    assert any(expected)
    assert not all(expected)
    assert dataset.exchanged.tolist() == expected


def test_graphs_without_positions(graphs, tmp_path):
    path = tmp_path / "flat.safetensors"
    pack([(0, replace(graphs[0], pos=None))], SCHEMA, path)
    assert PackedDataset.load(path).batch(np.array([0])).pos is None


def test_a_file_that_is_missing_or_is_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match="no packed data set at"):
        PackedDataset.load(tmp_path / "missing")
    (tmp_path / "junk").write_bytes(b"\x00\x01 this is no safetensors file")
    with pytest.raises(DataError, match="is not a packed data set"):
        PackedDataset.load(tmp_path / "junk")


def test_data_sets_are_joined_and_saved(dataset, tmp_path):
    small = PackedDataset(dataset._arrays, SCHEMA.model_copy(update={"max_nodes": 8}))
    joined = small + dataset
    assert joined.schema == SCHEMA
    assert len(joined) == 2 * len(dataset)
    joined.save(tmp_path / "joined.safetensors")
    again = PackedDataset.load(tmp_path / "joined.safetensors")
    last = np.array([len(dataset) - 1])
    assert_same(again.batch(last + len(dataset)), dataset.batch(last))
    other = PackedDataset(dataset._arrays, SCHEMA.model_copy(update={"edge_types": 9}))
    with pytest.raises(DataError, match="different channels"):
        dataset + other
