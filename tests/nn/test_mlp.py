from __future__ import annotations

import torch

from molae.nn.attention import AttentionLayer
from molae.nn.mlp import NodeEmbedding, ResidualBlock, SlotExpand, SlotLinear, residual_mlp
from molae.testing import with_generic_weights


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_residual_block_is_the_identity_at_the_start():
    x = normal(4, 6)
    assert torch.equal(ResidualBlock(6)(x), x)


def test_residual_mlp_is_linear_at_the_start():
    mlp, x, y = residual_mlp(5, 8, 2, 3), normal(4, 5), 2 * normal(4, 5).flip(0)
    torch.testing.assert_close(mlp(x + y) + mlp(torch.zeros_like(x)), mlp(x) + mlp(y))


def test_slot_linear_takes_missing_slots_for_zero():
    layer, x = SlotLinear(6, 4, 5), normal(2, 3, 4)
    padded = torch.nn.functional.pad(x, (0, 0, 0, 3))
    torch.testing.assert_close(layer(x), layer(padded))


def test_slot_linear_has_weights_of_its_own_for_each_slot():
    layer, x = SlotLinear(3, 4, 5), normal(1, 3, 4)
    assert not torch.allclose(layer(x), layer(x.flip(1)))


def test_slot_expand_gives_the_same_first_slots_however_many():
    layer, vector = SlotExpand(6, 4, 5), normal(2, 4)
    every = layer(vector, 6)
    assert every.shape == (2, 6, 5)
    torch.testing.assert_close(layer(vector, 2), every[:, :2])


def test_category_embedding_adds_up_its_channels():
    layer = NodeEmbedding((3, 2), 0, 4)
    out = layer(torch.tensor([[2, 1]]), None)
    torch.testing.assert_close(out[0], layer.tables[0].weight[2] + layer.tables[1].weight[1])


def test_attention_is_the_identity_at_the_start():
    x, mask = normal(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    assert torch.equal(AttentionLayer(8, 2)(x, mask), x)


def test_attention_sees_the_others_but_not_padding():
    layer, x = with_generic_weights(AttentionLayer(8, 2)), normal(1, 5, 8)
    mask = torch.tensor([[True, True, True, False, False]])
    out = layer(x, mask)
    unseen, seen = x.clone(), x.clone()
    unseen[:, 3:] += 1.0
    seen[:, 2] += torch.arange(8.0)
    torch.testing.assert_close(layer(unseen, mask)[:, :3], out[:, :3])
    assert not torch.allclose(layer(seen, mask)[:, 0], out[:, 0])
