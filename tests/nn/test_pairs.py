from __future__ import annotations

import torch

from molae.nn.pairs import OffsetEmbedding, OffsetScores, PairProducts, sum_over_edges
from molae.testing import ISOMER_SCHEMA, dense, isomers

SLOTS, KINDS, WIDTH = 6, 3, 8


def test_an_edge_is_seen_by_how_far_it_reaches_wherever_it_is():
    rows = OffsetEmbedding(SLOTS, KINDS, WIDTH)(SLOTS)
    torch.testing.assert_close(rows[0, 2], rows[3, 5])
    torch.testing.assert_close(rows[2, 0], rows[5, 3])
    assert not torch.allclose(rows[0, 2], rows[2, 0]), "forwards and backwards must differ"


def test_scores_of_an_offset_are_the_same_wherever_it_is():
    score = OffsetScores(SLOTS, KINDS, WIDTH)
    x = torch.randn(1, 1, WIDTH).expand(1, SLOTS, WIDTH)
    scores = score(x)[0]
    torch.testing.assert_close(scores[0, 2], scores[3, 5])
    assert not torch.allclose(scores[0, 2], scores[0, 3])


def test_fewer_slots_have_the_same_scores():
    x = torch.randn(2, SLOTS, WIDTH)
    for module in (OffsetScores(SLOTS, KINDS, WIDTH), PairProducts(WIDTH, 2, KINDS)):
        torch.testing.assert_close(module(x)[:, :4, :4], module(x[:, :4]))


def test_scores_of_pairs_are_symmetric():
    x = torch.randn(2, SLOTS, WIDTH)
    for module in (OffsetScores(SLOTS, KINDS, WIDTH), PairProducts(WIDTH, 2, KINDS)):
        torch.testing.assert_close(module(x), module(x).transpose(1, 2))


def test_a_sum_over_edges_is_that_over_all_pairs():
    batch = dense(list(isomers().values()), torch.float64)
    graphs, nodes = batch.mask.shape
    shuffled = batch.renumber((torch.rand(batch.mask.shape) + 2.0 * ~batch.mask).argsort(1))
    by_slot = torch.randn(ISOMER_SCHEMA.max_nodes, ISOMER_SCHEMA.edge_types, WIDTH, dtype=torch.float64)
    reach = OffsetEmbedding(ISOMER_SCHEMA.max_nodes, ISOMER_SCHEMA.edge_types, WIDTH).double()
    found = sum_over_edges(by_slot, reach.table, shuffled.slot, shuffled.edge_list, shuffled.sizes)
    for graph in range(graphs):
        for node in range(int(batch.sizes[graph])):
            slot = int(shuffled.slot[graph, node])
            expected = sum(
                by_slot[other, kind] + reach(nodes)[slot, other, kind]
                for other, kind in zip(
                    shuffled.slot[graph, : batch.sizes[graph]].tolist(),
                    shuffled.edges[graph, node, : batch.sizes[graph]].tolist(),
                    strict=True,
                )
            )
            torch.testing.assert_close(found[graph, node], expected)
