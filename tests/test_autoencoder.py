from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from molae.align import ALIGNERS
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.errors import ConfigError
from molae.loss.reconstruction import LossConfig
from molae.testing import SCHEMA, all_graphs, assert_decoder_sees_code_only, dense, with_generic_weights

SMALL = {"width": 16, "head_width": 64}


def build(encoder="slots", aligner="canonical", layers=0, **settings):
    torch.manual_seed(0)
    config = AutoencoderConfig(
        code_size=32,
        encoder={"name": encoder, "layers": layers, **SMALL},
        aligner={"name": aligner},
        decoder={"name": "slots", **SMALL},
        **settings,
    )
    return Autoencoder(config, SCHEMA)


def batch_of(*names, dtype=torch.float32):
    return dense([all_graphs()[name] for name in names], dtype)


def test_the_loss_is_the_sum_of_its_terms():
    losses = build().loss(batch_of("alanine", "benzene"))
    assert set(losses) == {"loss", "size", "nodes", "edges", "positions"}
    torch.testing.assert_close(losses["loss"], sum(v for name, v in losses.items() if name != "loss"))


def test_the_losses_of_the_action_count():
    losses = build(aligner="sinkhorn", layers=1).train().loss(batch_of("alanine", "benzene"))
    assert "permutation" in losses
    torch.testing.assert_close(losses["loss"], sum(v for name, v in losses.items() if name != "loss"))


def test_calling_the_model_gives_its_loss():
    model, batch = build(), batch_of("alanine")
    assert torch.equal(model(batch)["loss"], model.loss(batch)["loss"])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_batches_are_mirrored_only_where_a_generator_decides(share):
    model, batch = build(mirror=share), batch_of("alanine", "tartaric acid")
    straight = model.loss(batch)["loss"]
    mirrored = model.loss(batch.mirrored())["loss"]
    assert not torch.allclose(straight, mirrored)
    drawn = model.loss(batch, torch.Generator().manual_seed(0))["loss"]
    torch.testing.assert_close(drawn, mirrored if share else straight)


@pytest.mark.parametrize(
    ("encoder", "aligner", "layers"), [("slots", "canonical", 0), ("pooled", "hungarian", 1)]
)
def test_a_few_molecules_are_learned_by_heart(encoder, aligner, layers):
    """Without the symmetric ones and with few steps: the parts fit together, and the gradient reaches all."""
    model = build(encoder, aligner, layers, loss=LossConfig(position=1.0))
    batch = batch_of("alanine", "tartaric acid", "decalin")
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = model.loss(batch)["loss"].item()
    for _ in range(60):
        optimiser.zero_grad()
        model.loss(batch)["loss"].backward()
        optimiser.step()
    assert model.loss(batch)["loss"].item() < first / 4
    if encoder == "slots":
        assert model.eval().evaluate(batch)["exact"].all()


def test_the_reconstruction_is_the_decoded_code_and_the_action_of_the_input():
    model, batch = build().eval(), batch_of("alanine", "benzene")
    encoding, decoded, action = model.reconstruct(batch)
    with torch.no_grad():
        expected = model.decode(encoding.invariant)
    assert torch.equal(decoded.pos, expected.pos)
    assert decoded.pos.shape[1] == SCHEMA.max_nodes
    assert torch.equal(action.permutation, batch.slot)
    figures = model.evaluate(batch)
    moved = action.positions(decoded.pos[:, : batch.mask.shape[1]])
    square = ((moved - batch.pos).square().sum(2) * batch.mask).sum(1) / batch.sizes
    torch.testing.assert_close(figures["rmsd"], square.sqrt())


def test_matched_permutations_are_those_of_the_reconstruction():
    model, batch = build("pooled", "hungarian").eval(), batch_of("alanine", "benzene")
    encoding, _, action = model.reconstruct(batch)
    assert torch.equal(encoding.action.permutation, torch.arange(6).expand(2, 6))
    assert not torch.equal(action.permutation, encoding.action.permutation)
    assert torch.equal(action.permutation.sort(1).values, torch.arange(6).expand(2, 6))


def test_swapped_codes_give_swapped_molecules():
    model = with_generic_weights(build())
    assert_decoder_sees_code_only(model, all_graphs()["aspirin"], all_graphs()["alanine"])


def test_an_unknown_component_or_key_is_refused_naming_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'canonical'"):
        Autoencoder(AutoencoderConfig(aligner={"name": "canonica"}), SCHEMA)
    with pytest.raises(ConfigError, match="did you mean 'head_width'"):
        Autoencoder(AutoencoderConfig(encoder={"name": "slots", "head_widt": 3}), SCHEMA)


def test_a_summary_is_taught_the_targets_of_the_graphs():
    torch.manual_seed(0)
    schema = SCHEMA.model_copy(update={"targets": ("nodes", "constant")})
    small = {"name": "slots", **SMALL, "summary": {"size": 4, "width": 16, "layers": 1}}
    model = Autoencoder(AutoencoderConfig(code_size=64, encoder=small), schema)
    assert model.targets is not None
    batch = batch_of("alanine", "benzene", "methane", "decalin", "tartaric acid")
    known = torch.stack([batch.sizes.float(), torch.full((5,), torch.nan)], dim=1)
    model.targets.fit(known)
    batch = replace(batch, targets=known)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        model.loss(batch)["loss"].backward()
        optimizer.step()
    summary = model.encode(batch).invariant[:, :4]
    torch.testing.assert_close(model.targets(summary)[:, 0], known[:, 0], atol=0.3, rtol=0)
    assert model.evaluate(batch)["targets"].shape == (5,)
    assert "targets" not in model.evaluate(replace(batch, targets=None))


def test_a_summary_must_leave_room_in_the_code():
    with pytest.raises(ConfigError, match="leaves nothing"):
        Autoencoder(
            AutoencoderConfig(code_size=32, encoder={"name": "slots", "summary": {"size": 32}}), SCHEMA
        )


@pytest.mark.parametrize("aligner", list(ALIGNERS))
def test_every_aligner_trains_in_mixed_precision(aligner):
    model = build("pooled" if aligner == "hungarian" else "slots", aligner, layers=1).train()
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.loss(batch_of("alanine", "benzene", "methane"))
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
