from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.errors import ConfigError
from molae.nn.channels import CodeChannels
from molae.regularise import REGULARISERS, Context
from molae.testing import SCHEMA, all_graphs, dense, with_generic_weights

SMALL = {"name": "slots", "width": 16, "head_width": 32}


def variational(**settings):
    return with_generic_weights(
        REGULARISERS.build({"name": "variational", **settings}, CodeChannels(0, 6, 2))
    )


def model(regulariser=None):
    torch.manual_seed(0)
    config = AutoencoderConfig(
        code_size=32, encoder=SMALL, decoder=SMALL, mirror=0.0, regulariser=regulariser
    )
    return Autoencoder(config, SCHEMA)


def molecules():
    return dense([all_graphs()[name] for name in ("alanine", "benzene")], torch.float32)


def test_the_divergence_is_that_of_normal_distributions():
    regulariser, code = variational(), torch.randn(5, 8)
    posterior = Normal(code, (regulariser.log_variance(code) / 2).exp())
    expected = kl_divergence(posterior, Normal(torch.zeros(8), torch.ones(8))).detach()
    torch.testing.assert_close(regulariser.divergence(code).detach(), expected)
    described = regulariser.describe(code)
    assert described["divergence"] == pytest.approx(float(expected.sum(1).mean()), rel=1e-5)


def test_the_divergence_counts_late_and_slowly():
    regulariser, code = variational(weight=2.0, free_nats=0.0, delay=10, rise=20), torch.randn(5, 8)
    whole = 2 * regulariser.divergence(code).sum(1).mean()
    for step, share in ((0, 0.0), (10, 0.0), (15, 0.25), (30, 1.0), (500, 1.0), (None, 1.0)):
        term = regulariser(Context(code, step, molecules()))["divergence"]
        torch.testing.assert_close(term, share * whole)
    at_once = variational(weight=2.0, free_nats=0.0, delay=0, rise=0)
    torch.testing.assert_close(at_once(Context(code, 0, molecules()))["divergence"], whole)


def test_channels_are_not_pressed_below_their_free_nats():
    regulariser = variational(weight=1.0, free_nats=1e3)
    code = torch.randn(5, 8, requires_grad=True)
    term = regulariser(Context(code, None, molecules()))["divergence"]
    term.backward()
    assert term.item() == pytest.approx(8e3)
    assert not code.grad.any()


def test_channels_that_say_nothing_are_not_active():
    code = torch.randn(100, 8)
    code[:, 2:5] = 3.0
    assert variational().describe(code)["active_channels"] == 5


def test_noise_is_there_in_training_alone():
    plain, noisy = model(), model({"name": "variational"})
    batch = molecules()
    names = set(plain.loss(batch))
    assert set(noisy.loss(batch)) == names | {"divergence"}
    for name in names - {"loss"}:
        assert torch.equal(plain.loss(batch)[name], noisy.loss(batch)[name])
        drawn = [noisy.loss(batch, torch.Generator().manual_seed(seed))[name] for seed in (0, 0, 1)]
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])
    noisy.train()
    assert torch.equal(noisy.encode(batch).invariant, plain.encode(batch).invariant)
    assert torch.equal(noisy.evaluate(batch)["loss"], plain.evaluate(batch)["loss"])


def test_wrong_settings_are_refused_by_name():
    with pytest.raises(ConfigError, match="no regulariser is called 'variationl': did you"):
        model({"name": "variationl"})
    with pytest.raises(ConfigError, match=r"\[regulariser.variational\] free_nats: .* got -1"):
        model({"name": "variational", "free_nats": -1})
