from __future__ import annotations

import torch
from shorten_codes import shorten

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.testing import SCHEMA

GRAPHS = SCHEMA.model_copy(update={"coordinates": False})


def made(code_size: int) -> AutoencoderConfig:
    encoder = {"name": "slots", "width": 8, "head_width": 16}
    return AutoencoderConfig(code_size=code_size, encoder=encoder, decoder={"name": "slots", "width": 8})


def test_what_means_the_same_is_kept() -> None:
    slots, fewer = GRAPHS.max_nodes, GRAPHS.max_nodes // 2
    source = Autoencoder(made(8 * slots), GRAPHS)
    found = shorten(source, made(2 * fewer), fewer)
    old, new = source.state_dict(), found.state_dict()
    assert found.schema.max_nodes == fewer
    assert found.encoder.channels.size == 2 * fewer
    torch.testing.assert_close(new["decoder.node.weight"], old["decoder.node.weight"], rtol=0, atol=0)
    torch.testing.assert_close(new["encoder.place"], old["encoder.place"][:fewer], rtol=0, atol=0)
    for name in ("encoder.reach.table", "decoder.reach.table"):
        middle = len(old[name]) // 2
        kept = old[name][middle - fewer + 1 : middle + fewer]
        torch.testing.assert_close(new[name], kept, rtol=0, atol=0)
    channels = new["encoder.write.map.weight"]
    torch.testing.assert_close(channels, old["encoder.write.map.weight"][: len(channels)], rtol=0, atol=0)
    assert not torch.equal(new["decoder.size.bias"], old["decoder.size.bias"][: fewer + 1])
