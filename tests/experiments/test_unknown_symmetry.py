"""The circle is one, and the experiment finds its rotation better the longer it is taught."""

from __future__ import annotations

import math
from argparse import Namespace

import torch
import unknown_symmetry

SETTINGS = Namespace(pairs=200, batch_size=64, steps=150, learning_rate=5e-3)


def test_points_come_back_after_a_turn_and_have_unit_variance():
    circle = unknown_symmetry.Circle(torch.Generator().manual_seed(0))
    angle = torch.linspace(0, 2 * math.pi, 500)
    assert torch.allclose(circle(angle), circle(angle + 2 * math.pi), atol=1e-3)
    assert torch.allclose(circle(angle).var(0), torch.ones(unknown_symmetry.OBSERVED), atol=0.02)


def test_rescaled_codes_reconstruct_the_same():
    torch.manual_seed(0)
    circle = unknown_symmetry.Circle(torch.Generator().manual_seed(0))
    model, (x, *_) = unknown_symmetry.CodedPairs(16), circle.pairs(300)
    before = model.decoder(model.encoder(x))
    model.whiten(x)
    assert torch.allclose(model.decoder(model.encoder(x)), before, atol=1e-4)
    assert torch.allclose(model.encoder(x).T.cov(), torch.eye(2), atol=1e-3)


def test_alignment_lessens_the_error_of_the_generator():
    torch.manual_seed(0)
    circle = unknown_symmetry.Circle(torch.Generator().manual_seed(0))
    model, errors = unknown_symmetry.CodedPairs(32), []
    for alignment in (0.0, 1.0):
        unknown_symmetry.fit(model, circle, alignment, SETTINGS)
        errors.append(unknown_symmetry.measure(model, circle)["error"])
    assert errors[1] < errors[0]
