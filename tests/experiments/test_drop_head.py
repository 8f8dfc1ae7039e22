from __future__ import annotations

import torch
from drop_head import without_head

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.testing import ISOMER_SCHEMA, dense, isomers


@torch.no_grad()
def test_a_model_without_its_head_writes_the_lanes_alone() -> None:
    torch.manual_seed(0)
    small = {"name": "slots", "width": 16, "head_width": 32}
    model = Autoencoder(AutoencoderConfig(code_size=128, encoder=small, decoder=small), ISOMER_SCHEMA).eval()
    batch = dense(list(isomers().values()))
    # At the start a head adds nothing.
    expected = model.encode(batch).invariant
    torch.nn.init.normal_(model.encoder.head[-1].weight)
    assert not torch.allclose(model.encode(batch).invariant, expected)
    bare = without_head(model)
    torch.testing.assert_close(bare.encode(batch).invariant, expected)
    assert bare.encoder.linear_lanes() is not None
    code = expected
    torch.testing.assert_close(bare.decode(code).edge_logits, model.decode(code).edge_logits)
