"""The contract of encoders, for every encoder that is registered, with every aligner."""

from __future__ import annotations

import pytest
import torch
from registered import CODE, aligner, autoencoder, described, encoder, settings, small_graphs

from molae.align import ALIGNERS
from molae.encoder import ENCODERS
from molae.errors import ConfigError
from molae.testing import (
    ISOMER_SCHEMA,
    all_graphs,
    assert_decoder_sees_code_only,
    assert_frame_determined,
    assert_reconstruction_equivariant,
    attributed_graphs,
    attributed_pairs,
    attributed_schema,
    check_encoder,
    dense,
    isomers,
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


@every_config
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_encoder_keeps_its_contract_without_positions(config, dtype):
    if config["name"] == "pooled" and not config.get("layers"):
        with pytest.raises(ConfigError, match="layers"):
            encoder(config, schema=ISOMER_SCHEMA)
        return
    flat = encoder(config, schema=ISOMER_SCHEMA)
    assert tuple(flat.channels) == (flat.summary_size, CODE - flat.summary_size, 0)
    check_encoder(flat, dtype=dtype).require()


@every_config
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("directed", [False, True], ids=["numbers", "directed"])
def test_encoder_keeps_its_contract_with_numbers_and_directions(config, directed, dtype):
    if config["name"] == "pooled" and not config.get("layers"):
        pytest.skip("needs layers to see edges")
    checked = encoder(config, schema=attributed_schema(directed))
    check_encoder(checked, attributed_graphs(directed), attributed_pairs(directed), dtype).require()


@pytest.mark.parametrize("aligner_name", list(ALIGNERS))
def test_directed_graphs_with_numbers_are_reconstructed_with_every_aligner(aligner_name):
    predicts = aligner(aligner_name).predicts
    config = {**next(settings(ENCODERS, "slots" if predicts else "pooled")), "layers": 2}
    schema = attributed_schema(True)
    model = autoencoder(config, aligner_name, schema=schema)
    graphs = {name: graph for name, graph in attributed_graphs(True).items() if "random" in name}
    assert_reconstruction_equivariant(model, graphs)
    model.train()
    loss = model.loss(dense(list(attributed_graphs(True).values()), torch.float32))["loss"]
    loss.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert all(gradient.isfinite().all() for gradient in [loss, *gradients])


@pytest.mark.parametrize("aligner_name", [n for n in ALIGNERS if aligner(n).predicts])
def test_encoder_without_positions_keeps_its_contract_with_every_aligner(aligner_name):
    # Two rounds of messages along the bonds leave two nodes of caffeine alike, which then have one score.
    config = {**next(settings(ENCODERS, "slots")), "layers": 4}
    check_encoder(encoder(config, aligner_name, ISOMER_SCHEMA)).require()
    model = autoencoder(config, aligner_name, schema=ISOMER_SCHEMA)
    assert_reconstruction_equivariant(model, isomers())
    assert_decoder_sees_code_only(model, isomers()["R-alanine"], isomers()["benzene"])


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
