"""What distances tell of a graph."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from molae.nn.spatial import CUTOFF, SpatialReadout
from molae.nn.summary import Summary, SummaryConfig
from molae.testing import SCHEMA, asymmetric_graphs, degenerate_graphs, dense, with_generic_weights

WIDTH = 16


@pytest.fixture
def summary():
    torch.manual_seed(0)
    return Summary(SummaryConfig(size=8, width=WIDTH, layers=1), SCHEMA).double()


@pytest.fixture
def readout():
    torch.manual_seed(0)
    return with_generic_weights(SpatialReadout(WIDTH, SCHEMA, 24, 12, 2)).double()


def read(readout, summary, batch):
    with torch.no_grad():
        return readout(summary.nodes(batch), batch)


def batch(pad_to=None):
    return dense(list(asymmetric_graphs().values()), torch.float64, pad_to)


def test_motions_the_mirror_image_numbering_and_padding_do_not_matter(readout, summary):
    whole = batch()
    expected = read(readout, summary, whole)
    assert expected.std() > 1e-3
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    moved = replace(whole, pos=(whole.pos @ turn + 3.0) * whole.mask.unsqueeze(2))
    torch.testing.assert_close(read(readout, summary, moved), expected)
    draws = torch.rand(whole.mask.shape) + 2.0 * ~whole.mask
    torch.testing.assert_close(read(readout, summary, whole.renumber(draws.argsort(1))), expected)
    torch.testing.assert_close(read(readout, summary, batch(pad_to=SCHEMA.max_nodes)), expected)


def test_distances_matter_up_to_the_cutoff(readout, summary):
    whole = batch()
    stretched = replace(whole, pos=1.05 * whole.pos)
    apart, further = (replace(whole, pos=factor * CUTOFF * whole.pos) for factor in (10, 20))
    assert (read(readout, summary, stretched) - read(readout, summary, whole)).abs().min() > 1e-6
    torch.testing.assert_close(read(readout, summary, apart), read(readout, summary, further))


def test_it_is_nothing_before_training_and_learns_all_the_same(summary):
    readout, whole = SpatialReadout(WIDTH, SCHEMA).double(), batch()
    found = readout(summary.nodes(whole), whole)
    assert not found.any()
    found.sum().backward()
    assert readout.head[-1].weight.grad.any()


def test_nodes_in_one_place_give_numbers(readout, summary):
    whole = dense(list(degenerate_graphs().values()), torch.float64)
    assert read(readout, summary, whole).isfinite().all()


def test_graphs_without_positions_are_refused(readout, summary):
    with pytest.raises(ValueError, match="no distances"):
        read(readout, summary, replace(batch(), pos=None))
