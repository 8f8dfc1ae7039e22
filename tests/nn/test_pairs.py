from __future__ import annotations

import torch

from molae.nn.pairs import OffsetEmbedding, OffsetScores, PairProducts

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
