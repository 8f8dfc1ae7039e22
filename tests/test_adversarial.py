"""Critics and generators are asked for opposite things, and codes are signs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from molae.adversarial import InvariantEncodingGAN
from molae.loss.adversarial import critic_loss, generator_loss


class Joined(nn.Module):
    """A perceptron on all that it is given."""

    def __init__(self, size_in, size_out):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size_in, 16), nn.Tanh(), nn.Linear(16, size_out))

    def forward(self, *parts):
        return self.layers(torch.cat(parts, 1)).squeeze(1)


def model(penalty=0.1):
    torch.manual_seed(0)
    return InvariantEncodingGAN(
        Joined(2, 3), Joined(5, 2), Joined(4, 1), Joined(2, 1), lambda x: -x, 3, 2, penalty
    )


def gradients(made, loss):
    made.zero_grad()
    loss.backward()
    return {name for name, p in made.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}


def test_critic_and_generator_have_opposite_aims():
    def critic(x):
        return x.sum(1)

    good, bad = torch.ones(4, 2), -torch.ones(4, 2)
    assert critic_loss(critic, [good], [bad]) < critic_loss(critic, [bad], [good])
    assert generator_loss(critic, [good]) < generator_loss(critic, [bad])


def test_the_penalty_is_of_the_gradient_at_real_samples():
    def critic(x, y):
        return 3 * x[:, 0] + 4 * y[:, 0]

    x = torch.zeros(4, 2)
    plain, penalised = (critic_loss(critic, [x, x], [x, x], penalty=p) for p in (0.0, 2.0))
    assert (penalised - plain).item() == pytest.approx(25.0)


def test_each_loss_trains_its_own_side():
    made, x = model(), torch.randn(8, 2)
    critics = gradients(made, made.critic_loss(x))
    assert critics == {name for name, _ in made.named_parameters() if "critic" in name}
    others = gradients(made, made.generator_loss(x))
    assert {name.split(".")[0] for name in others} >= {"encoder", "generator"}


def test_codes_are_signs_and_samples_repeat_by_the_seed():
    made = model()
    assert set(made.encode(torch.randn(50, 2)).unique().tolist()) == {-1.0, 1.0}
    draws = []
    for _ in range(2):
        torch.manual_seed(1)
        draws.append(made.sample(5))
    assert torch.equal(*draws)
