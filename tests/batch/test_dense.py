from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from molae.batch.dense import DenseBatch
from molae.groups import SymmetricGroup
from molae.testing import all_graphs, dense, mirror_image


def assert_equal(first, second):
    for field in fields(DenseBatch):
        a, b = getattr(first, field.name), getattr(second, field.name)
        assert (a is b is None) or torch.equal(a, b), field.name


def every_graph():
    return list(all_graphs().values())


def test_sizes_are_those_of_the_graphs():
    batch = dense(every_graph(), pad_to=30)
    assert len(batch) == len(every_graph())
    assert batch.sizes.tolist() == [len(graph) for graph in every_graph()]


def test_mirrored_batch_is_the_batch_of_the_mirror_images():
    """Slots and ranks too, though the mirror images are ordered from scratch."""
    images = [mirror_image(graph) for graph in every_graph()]
    assert_equal(dense(every_graph()).mirrored(), dense(images))


def test_mirrored_twice_is_the_same():
    batch = dense(every_graph(), pad_to=30)
    assert_equal(batch.mirrored().mirrored(), batch)


def test_renumbering_keeps_the_canonical_graph():
    batch = dense([graph for graph in every_graph() if len(graph) == 4])
    index = SymmetricGroup(4).sample(len(batch), generator=torch.Generator().manual_seed(0))
    moved = batch.renumber(index)
    assert not torch.equal(moved.pos, batch.pos)
    to_slots = [each.renumber(each.slot.argsort(1)) for each in (batch, moved)]
    assert_equal(*to_slots)
    assert_equal(moved.renumber(index.argsort(1)), batch)


def test_conversion_touches_the_positions_alone():
    batch = dense(every_graph()[:3])
    single = batch.to("cpu", torch.float32)
    assert single.pos.dtype == torch.float32
    assert single.nodes.dtype == torch.int64
    assert_equal(batch.to("cpu"), batch)


def test_graphs_without_positions():
    batch = dense([replace(graph, pos=None) for graph in every_graph()[:3]])
    assert batch.pos is None
    assert batch.to("cpu", torch.float32).pos is None
    assert batch.renumber(batch.slot).pos is None
    with pytest.raises(ValueError, match="no mirror image"):
        batch.mirrored()
