from __future__ import annotations

import pytest
import torch

from molae.decoder import DECODERS
from molae.nn.channels import CodeChannels
from molae.testing import SCHEMA, with_generic_weights


def build(schema=SCHEMA, **settings):
    torch.manual_seed(0)
    small = {"name": "slots", "width": 16, "head_width": 32, **settings}
    return with_generic_weights(DECODERS.build(small, schema, CodeChannels(0, 9, 3))).eval()


def codes(count=3):
    return torch.randn(count, 12, generator=torch.Generator().manual_seed(0))


def test_shapes_are_those_of_the_schema():
    decoded = build()(codes(), 7)
    assert decoded.size_logits.shape == (3, SCHEMA.max_nodes + 1)
    assert tuple(scores.shape for scores in decoded.node_logits) == tuple(
        (3, 7, size) for size in SCHEMA.node_sizes
    )
    assert decoded.edge_logits.shape == (3, 7, 7, SCHEMA.edge_types)
    assert decoded.pos.shape == (3, 7, 3)


def test_a_schema_without_coordinates_has_none_decoded():
    decoder = build(SCHEMA.model_copy(update={"coordinates": False}))
    assert decoder(codes(), 5).pos is None


def test_edges_depend_on_the_decoded_distances():
    """To move a decoded atom changes the scores of its bonds."""
    decoder = build()
    before = decoder(codes(), 5).edge_logits
    with torch.no_grad():
        decoder.position.weight *= 3.0
    assert not torch.allclose(decoder(codes(), 5).edge_logits, before)


@pytest.mark.parametrize("precision", [torch.bfloat16])
def test_positions_stay_in_full_precision_under_mixed_precision(precision):
    decoder = build()
    exact = decoder(codes(), 5).pos
    with torch.autocast("cpu", precision):
        decoded = decoder(codes(), 5)
    assert decoded.pos.dtype == torch.float32
    assert decoded.node_logits[0].dtype == precision
    torch.testing.assert_close(decoded.pos, exact, atol=0.2, rtol=0.1)
