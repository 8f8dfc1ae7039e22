from __future__ import annotations

import math

import pytest
import torch

from molae.groups import ImageRotations
from molae.nn.harmonics import CircularHarmonics


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(count, size):
    return torch.randn(count, size, size, generator=generator())


def blobs(count, size):
    """Smooth images, dark at the rim."""
    at = torch.linspace(-size / 2, size / 2, size)
    centres = size / 3 * (torch.rand(count, 3, 2, generator=generator()) - 0.5)
    rows, columns = ((at - centres[..., k, None]) ** 2 for k in range(2))
    return torch.exp(-(rows.unsqueeze(3) + columns.unsqueeze(2)) / 6).sum(1)


@pytest.mark.parametrize("size", [7, 8, 12])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_multiply_coefficients_by_phases_exactly(size, quarters):
    harmonics, images = CircularHarmonics(size), noise(4, size)
    turned = harmonics(torch.rot90(images, quarters, (1, 2)))
    expected = harmonics.turn(harmonics(images), torch.full((4,), quarters * math.pi / 2))
    torch.testing.assert_close(turned, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("angle", [0.3, 1.0, 2.5, -0.7])
def test_other_turns_do_so_to_what_pixels_resolve(angle):
    harmonics, images, turn = CircularHarmonics(16), blobs(8, 16), torch.full((8,), angle)
    rows = [torch.stack([turn.cos(), -turn.sin()], 1), torch.stack([turn.sin(), turn.cos()], 1)]
    turned = harmonics(ImageRotations().act(torch.stack(rows, 1), images))
    expected = harmonics.turn(harmonics(images), turn)
    assert (turned - expected).norm() < 0.05 * expected.norm()


def test_turns_of_coefficients_compose_exactly():
    harmonics = CircularHarmonics(8)
    c, a, b = harmonics(noise(5, 8)), torch.randn(5, generator=generator()), torch.tensor(0.4).expand(5)
    torch.testing.assert_close(harmonics.turn(harmonics.turn(c, a), b), harmonics.turn(c, a + b))


def test_rings_of_one_order_are_orthonormal():
    harmonics = CircularHarmonics(12)
    basis = torch.complex(*harmonics.basis)
    for order in harmonics.order.unique():
        columns = basis[:, harmonics.order == order] / (1.0 if order == 0 else 2**0.5)
        gram = columns.mH @ columns
        torch.testing.assert_close(gram, torch.eye(len(gram), dtype=gram.dtype), atol=1e-5, rtol=0)


def test_most_of_a_smooth_image_is_in_its_coefficients():
    images = blobs(8, 12)
    share = CircularHarmonics(12)(images).abs().square().sum() / images.square().sum()
    assert 0.95 < share < 1.05
