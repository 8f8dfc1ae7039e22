from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from molae.batch.collate import collate, collate_lines
from molae.batch.dense import DenseBatch
from molae.batch.packed import PackedDataset, pack
from molae.batch.pyg import to_data, to_dense
from molae.batch.schema import Schema
from molae.chem.featurise import featurise_isomer
from molae.chem.line import write_line
from molae.groups.permutation import inverse_index
from molae.testing import attributed_graphs, attributed_schema
from molae.types import Graph

SCHEMA = Schema(node_channels=(("kind", 5), ("charge", 3)), edge_types=4, max_nodes=9)


def random_graph(size: int, seed: int, positions: bool = True) -> Graph:
    random = np.random.default_rng((size, seed))
    upper = np.triu(random.integers(0, 4, (size, size)), 1)
    return Graph(
        nodes=np.stack([random.integers(0, 5, size), random.integers(0, 3, size)], axis=1),
        edges=upper + upper.T,
        pos=random.normal(size=(size, 3)) if positions else None,
        slot=random.permutation(size),
        mirror_slot=random.permutation(size),
        tie=random.integers(0, 2, size),
    )


def assert_equal(first: DenseBatch, second: DenseBatch) -> None:
    for field in fields(DenseBatch):
        a, b = getattr(first, field.name), getattr(second, field.name)
        assert (a is None) == (b is None), field.name
        if a is not None:
            assert a.dtype == b.dtype, field.name
            assert torch.equal(a, b), field.name


sizes = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(sizes, st.booleans())
def test_padding_has_slots_of_its_own(sizes: list[int], positions: bool) -> None:
    graphs = [random_graph(size, seed, positions) for seed, size in enumerate(sizes)]
    batch = collate(graphs)
    m = max(sizes)
    assert batch.mask.shape == (len(sizes), m)
    assert batch.sizes.tolist() == sizes
    for row, graph in enumerate(graphs):
        n = len(graph)
        assert batch.slot[row].tolist() == [*graph.slot, *range(n, m)]
        assert batch.mirror_slot[row].tolist() == [*graph.mirror_slot, *range(n, m)]
        assert torch.equal(batch.edges[row, :n, :n], torch.from_numpy(graph.edges))
        assert not batch.edges[row, n:].any()
        assert not batch.nodes[row, n:].any()
    assert (batch.pos is None) == (not positions)


@given(sizes, st.booleans())
def test_by_way_of_pyg_the_batch_is_the_same(sizes: list[int], positions: bool) -> None:
    graphs = [random_graph(size, seed, positions) for seed, size in enumerate(sizes)]
    assert_equal(to_dense([to_data(graph) for graph in graphs]), collate(graphs))


def test_packed_graphs_are_batched_the_same(tmp_path: Path) -> None:
    graphs = [random_graph(size, 0) for size in (3, 7, 1)]
    for i, graph in enumerate(graphs):
        # `pack` puts the nodes in the canonical order, and the graph around the origin.
        graphs[i] = replace(graph, slot=np.arange(len(graph)), pos=graph.pos - graph.pos.mean(0))
    pack(enumerate(graphs), SCHEMA, tmp_path / "x.safetensors")
    assert_equal(PackedDataset.load(tmp_path / "x.safetensors").batch(np.arange(3)), collate(graphs))


def test_positions_are_of_the_type_asked_for() -> None:
    graph = random_graph(4, 0)
    for dtype in (torch.float32, torch.float64):
        assert collate([graph], dtype).pos.dtype == dtype
        assert to_data(graph, dtype).pos.dtype == dtype


def test_what_makes_no_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one graph"):
        collate([])
    with pytest.raises(ValueError, match="at least one graph"):
        to_dense([])
    with pytest.raises(ValueError, match="1 of 2 graphs have positions"):
        collate([random_graph(2, 0), random_graph(2, 0, positions=False)])


@pytest.mark.parametrize("directed", [False, True])
def test_numbers_and_directions_go_the_way_of_pyg_and_of_packed_files(directed: bool, tmp_path: Path) -> None:
    graphs, schema = list(attributed_graphs(directed).values()), attributed_schema(directed)
    batch = collate(graphs)
    found = to_dense([to_data(graph) for graph in graphs])
    pack(enumerate(graphs), schema, tmp_path / "x.safetensors")
    packed = PackedDataset.load(tmp_path / "x.safetensors").batch(np.arange(len(graphs)))
    ordered = batch.renumber(batch.slot.argsort(dim=1))
    for name in ("nodes", "edges", "numbers", "edge_numbers", "mask", "slot", "tie"):
        torch.testing.assert_close(getattr(found, name), getattr(batch, name), equal_nan=True)
        torch.testing.assert_close(getattr(packed, name), getattr(ordered, name), equal_nan=True)


def test_graphs_with_numbers_and_without_are_not_batched_together() -> None:
    graph = attributed_graphs(False)["cube"]
    for name in ("numbers", "edge_numbers"):
        with pytest.raises(ValueError, match="1 of 2 graphs have numbers"):
            collate([graph, replace(graph, **{name: None})])


def test_lines_make_the_same_batch_as_graphs_in_slot_order() -> None:
    mols = [Chem.MolFromSmiles(each) for each in ("CC(=O)Oc1ccccc1", "O", "C[C@H](N)/C=C/[CH2]", "CC1CC1")]
    lines = [write_line(mol) for mol in mols]
    for size in (1, 3, 9):
        found = list(collate_lines(lines, size))
        assert sum(map(len, found)) == len(lines)
        for start, batch in zip(range(0, len(lines), size), found, strict=True):
            graphs = [featurise_isomer(mol, ranked=False) for mol in mols[start : start + size]]
            numbered = collate(graphs)
            expected = numbered.renumber(inverse_index(numbered.slot))
            for each in fields(batch):
                one, other = getattr(batch, each.name), getattr(expected, each.name)
                assert (one is None and other is None) or torch.equal(one, other), each.name


def test_no_line_makes_no_batch() -> None:
    assert list(collate_lines([], 4)) == []
