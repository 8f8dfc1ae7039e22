from __future__ import annotations

import numpy as np
import pytest
import torch
from rdkit import Chem

from molae.chem.featurise import featurise_isomer
from molae.nn.summary import Summary, SummaryConfig, TargetHead, _pool
from molae.testing import ISOMER_SCHEMA, dense, isomers, with_generic_weights

CONFIG = SummaryConfig(size=8, width=16, layers=2)


@pytest.fixture
def summary():
    torch.manual_seed(0)
    return with_generic_weights(Summary(CONFIG, ISOMER_SCHEMA)).double()


def of(summary, *smiles):
    graphs = [featurise_isomer(Chem.MolFromSmiles(each)) for each in smiles]
    return summary(dense(graphs, torch.float64))


def test_the_order_of_the_nodes_and_padding_do_not_matter(summary):
    batch = dense(list(isomers().values()), torch.float64)
    draws = torch.rand(batch.mask.shape, generator=torch.Generator().manual_seed(0)) + 2.0 * ~batch.mask
    together = summary(batch.renumber(draws.argsort(1)))
    alone = torch.cat([summary(dense([graph], torch.float64)) for graph in isomers().values()])
    torch.testing.assert_close(together, alone)


def test_rings_are_told_apart_where_messages_cannot(summary):
    decalin, bicyclopentyl = of(summary, "C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1")
    assert (decalin - bicyclopentyl).abs().max() > 1e-3


def test_it_is_nothing_before_training():
    batch = dense(list(isomers().values()), torch.float32)
    assert not Summary(CONFIG, ISOMER_SCHEMA)(batch).any()


def targets():
    values = np.random.default_rng(0).normal(5.0, [1.0, 10.0, 0.0], (200, 3))
    values[:50, 0] = np.nan
    return torch.from_numpy(values).float()


def test_the_head_takes_centre_and_scale_from_what_is_known():
    head = TargetHead(8, 3)
    head.fit(targets())
    known = targets().numpy()
    np.testing.assert_allclose(head.centre, np.nanmean(known, axis=0), rtol=1e-5)
    np.testing.assert_allclose(head.scale, [*np.nanstd(known, axis=0)[:2], 1.0], rtol=1e-4)


def test_targets_that_are_not_known_cost_nothing():
    head = TargetHead(8, 3)
    head.fit(targets())
    summary = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    free = head.loss(summary, torch.full((200, 3), torch.nan))
    assert free.tolist() == [0.0] * 200
    assert (head.loss(summary, targets()) > 0).all()
    assert not head.loss(summary, head(summary)).any()


def test_a_target_far_outside_is_bounded():
    head = TargetHead(8, 1)
    head.fit(torch.tensor([[0.0], [1.0]]))
    far = head.loss(torch.zeros(1, 8), torch.tensor([[1e6]]))
    assert far.item() == pytest.approx(head.CLIP, abs=1.5)


def test_walks_return_as_often_as_powers_of_their_matrix_say(summary):
    connected = (torch.rand(3, 7, 7, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    step = connected / connected.sum(2, keepdim=True).clamp(min=1)
    powers = [torch.linalg.matrix_power(step, length).diagonal(dim1=1, dim2=2) for length in range(1, 9)]
    torch.testing.assert_close(summary._return_probabilities(connected), torch.stack(powers, dim=2))


def test_a_graph_without_nodes_is_pooled_to_nothing():
    nodes = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False], [False, False, False]])
    pooled = _pool(nodes, mask)
    real = nodes[0, :2]
    torch.testing.assert_close(pooled[0], torch.cat([real.sum(0) / 8, real.mean(0), real.amax(0)]))
    assert not pooled[1].any()
