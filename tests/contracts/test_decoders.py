"""The contract of decoders, for every decoder that is registered."""

from __future__ import annotations

import pytest
from registered import CODE, SCHEMAS, decoder, described, settings

from molae.decoder import DECODERS
from molae.testing import check_decoder

CONFIGS = [config for name in DECODERS for config in settings(DECODERS, name)]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("config", CONFIGS, ids=map(described, CONFIGS))
def test_decoder_keeps_its_contract(config, schema):
    check_decoder(decoder(config, schema), CODE, schema.max_nodes, schema.reversed_pair).require()
