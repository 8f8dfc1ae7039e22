from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from molae.batch.dense import DenseBatch
from molae.errors import ConfigError
from molae.registry import validate
from molae.testing import attributed_graphs, attributed_schema
from molae.testing.fixtures import ISOMER_SCHEMA, SCHEMA, all_graphs, dense, isomers
from molae.training.augment import AugmentConfig, augment


@pytest.fixture
def batch() -> DenseBatch:
    """Graphs with their nodes in canonical order, as packed data sets hold them."""
    graphs = dense(list(all_graphs().values()))
    ordered = graphs.renumber(graphs.slot.argsort(dim=1))
    places = torch.arange(ordered.mask.shape[1]).expand_as(ordered.slot)
    return replace(ordered, slot=places)


def run(batch: DenseBatch, seed: int = 0, **config: float) -> DenseBatch:
    return augment(batch, SCHEMA, AugmentConfig(**config), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("config", [{"mutate": 1.0}, {"crop": 1.0}])
def test_targets_are_not_known_of_a_graph_that_was_changed(batch: DenseBatch, config: Any) -> None:
    known = replace(batch, targets=torch.ones(len(batch), 2))
    assert run(known, **config).targets.isnan().all()  # type: ignore[union-attr]
    config = dict.fromkeys(config, 0.5)
    some = run(known, **config).targets.isnan().all(1)  # type: ignore[union-attr]
    assert some.any()
    assert not some.all()


def test_nothing_happens_unless_asked_for(batch: DenseBatch) -> None:
    assert run(batch) is batch


def test_mutation_replaces_categories_within_the_schema_and_nothing_else(batch: DenseBatch) -> None:
    changed = run(batch, mutate=1.0, node_rate=0.5, edge_rate=0.5)
    assert (changed.nodes != batch.nodes).any()
    assert (changed.edges != batch.edges).any()
    assert (changed.nodes < torch.tensor(SCHEMA.node_sizes)).all()
    assert changed.edges.max() < SCHEMA.edge_types
    assert torch.equal(changed.edges, changed.edges.mT)
    assert not changed.edges.diagonal(dim1=1, dim2=2).any()
    assert not changed.nodes[~batch.mask].any()
    assert not changed.edges[~batch.mask].any()
    assert changed.pos is batch.pos


def test_only_the_chosen_share_is_mutated(batch: DenseBatch) -> None:
    many = batch.renumber(batch.slot)
    shares = [
        (run(many, seed, mutate=0.3, node_rate=1.0).nodes != many.nodes).flatten(1).any(1).float().mean()
        for seed in range(40)
    ]
    assert 0.2 < torch.stack(shares).mean() < 0.4


def test_cropping_keeps_the_first_slots(batch: DenseBatch) -> None:
    cut = run(batch, crop=1.0)
    assert (cut.sizes >= 1).all()
    assert (cut.sizes <= batch.sizes).all()
    assert (cut.sizes < batch.sizes).any()
    kept = cut.mask
    assert torch.equal(cut.nodes[kept], batch.nodes[kept])
    assert not cut.nodes[~kept].any()
    assert not cut.edges[~kept].any()
    assert not cut.pos[~kept].any()
    assert torch.equal(cut.mirror_slot.sort(dim=1).values, cut.slot)


def test_the_same_seed_makes_the_same_choices(batch: DenseBatch) -> None:
    first, second = (run(batch, 3, mutate=0.5, crop=0.5) for _ in range(2))
    assert torch.equal(first.nodes, second.nodes)
    assert torch.equal(first.mask, second.mask)


def test_shares_outside_of_0_to_1_are_refused() -> None:
    with pytest.raises(ConfigError, match="mutate"):
        validate(AugmentConfig, {"mutate": 1.5}, "augment")


def test_graphs_without_positions_are_changed_alike() -> None:
    graphs = dense(list(isomers().values()))
    batch = replace(graphs.renumber(graphs.slot.argsort(dim=1)), slot=graphs.slot.sort(dim=1).values)
    config = AugmentConfig(mutate=1.0, node_rate=0.5, edge_rate=0.5, crop=0.5)
    changed = augment(batch, ISOMER_SCHEMA, config, torch.Generator().manual_seed(0))
    assert changed.pos is None
    assert (changed.nodes < torch.tensor(ISOMER_SCHEMA.node_sizes)).all()
    assert changed.nodes[..., -1].max() == ISOMER_SCHEMA.node_sizes[-1] - 1
    assert changed.edges.max() == ISOMER_SCHEMA.edge_types - 1
    assert (changed.sizes < batch.sizes).any()


@pytest.mark.parametrize("directed", [False, True])
def test_directions_and_numbers_of_changed_edges_agree_from_both_ends(directed: bool) -> None:
    schema = attributed_schema(directed)
    labels, back = schema.labels, schema.reversed_pair
    assert labels is not None
    graphs = dense(list(attributed_graphs(directed).values()), torch.float32)
    batch = replace(graphs.renumber(graphs.slot.argsort(dim=1)), slot=graphs.slot.sort(dim=1).values)
    config = AugmentConfig(mutate=0.8, node_rate=0.5, edge_rate=0.3, crop=0.3)
    changed = augment(batch, schema, config, torch.Generator().manual_seed(0))
    edges, numbers = changed.edges, changed.edge_numbers
    assert numbers is not None
    assert (edges != batch.edges).any()
    assert torch.equal(torch.tensor(labels.reversed_edges)[edges], edges.mT)
    seen = numbers if back is None else numbers[..., list(back.numbers)]
    assert torch.equal(seen.transpose(1, 2).nan_to_num(9.0), numbers.nan_to_num(9.0))
    ways = (torch.tensor(labels.directions) > 0)[edges]
    assert torch.equal(numbers.isfinite(), ways if directed else ways[..., :1])
    same = edges == batch.edges
    assert torch.equal(numbers[same].nan_to_num(9.0), batch.edge_numbers[same].nan_to_num(9.0))  # type: ignore[index]
    assert not changed.numbers[~changed.mask].any()  # type: ignore[index]
