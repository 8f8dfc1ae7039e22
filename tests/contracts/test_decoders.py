"""The contract of decoders, for every decoder that is registered."""

from __future__ import annotations

import pytest
from registered import CODE, decoder, described, settings

from molae.decoder import DECODERS
from molae.testing import SCHEMA, check_decoder

CONFIGS = [config for name in DECODERS for config in settings(DECODERS, name)]


@pytest.mark.parametrize("config", CONFIGS, ids=map(described, CONFIGS))
def test_decoder_keeps_its_contract(config):
    check_decoder(decoder(config), CODE, SCHEMA.max_nodes).require()
