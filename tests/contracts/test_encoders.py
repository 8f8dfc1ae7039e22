"""The contract of encoders, for every encoder that is registered, with every aligner."""

from __future__ import annotations

import pytest
import torch
from registered import aligner, autoencoder, described, encoder, settings, small_graphs

from molae.align import ALIGNERS
from molae.encoder import ENCODERS
from molae.errors import ConfigError
from molae.testing import (
    all_graphs,
    assert_decoder_sees_code_only,
    assert_frame_determined,
    assert_reconstruction_equivariant,
    check_encoder,
)

CONFIGS = [config for name in ENCODERS for config in settings(ENCODERS, name)]
every_config = pytest.mark.parametrize("config", CONFIGS, ids=map(described, CONFIGS))


@pytest.mark.parametrize("name", list(ENCODERS))
def test_encoder_keeps_its_contract_on_all_graphs(name):
    check_encoder(encoder(next(settings(ENCODERS, name)))).require()


@every_config
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_encoder_keeps_its_contract_in_every_variant_and_precision(config, dtype):
    check_encoder(encoder(config), small_graphs(), dtype=dtype).require()


@pytest.mark.parametrize("name", list(ENCODERS))
@pytest.mark.parametrize("aligner_name", list(ALIGNERS))
def test_encoder_keeps_its_contract_with_every_aligner_or_refuses_it(name, aligner_name):
    config = {**next(settings(ENCODERS, name)), "layers": 2}
    if encoder(config).reads_slots and not aligner(aligner_name).predicts:
        with pytest.raises(ConfigError, match="reads the slots"):
            encoder(config, aligner_name)
        return
    check_encoder(encoder(config, aligner_name), small_graphs()).require()
    model = autoencoder(config, aligner_name)
    assert_reconstruction_equivariant(model, small_graphs())
    assert_decoder_sees_code_only(model, all_graphs()["alanine"], all_graphs()["benzene"])


@pytest.mark.parametrize("name", list(ENCODERS))
@pytest.mark.parametrize("aligner_name", [n for n in ALIGNERS if aligner(n).reads_features])
def test_a_learned_aligner_without_features_is_refused(name, aligner_name):
    with pytest.raises(ConfigError, match="layers"):
        encoder({**next(settings(ENCODERS, name)), "layers": 0}, aligner_name)


def test_slot_encoder_finds_the_frame_of_symmetric_graphs_too():
    assert_frame_determined(encoder({"name": "slots", "width": 16, "head_width": 32}), all_graphs())
