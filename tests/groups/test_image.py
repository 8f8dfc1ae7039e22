from __future__ import annotations

import math

import pytest
import torch
from scipy import ndimage
from scipy.stats import chisquare

from molae.errors import ConfigError
from molae.groups import CyclicRotations, ImageRotations


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def matrix(degrees):
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    rows = [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    return torch.stack(rows).permute(2, 0, 1)


def images(count=3, size=9, channels=(2,), seed=0):
    """Smooth images with a margin, of real numbers."""
    noise = torch.randn(count, *channels, size, size, generator=generator(seed), dtype=torch.float64)
    smooth = ndimage.gaussian_filter(noise.numpy(), (0,) * (1 + len(channels)) + (2, 2))
    step = torch.linspace(-1, 1, size, dtype=torch.float64)
    window = (1 - step**2 - step.unsqueeze(1) ** 2).clamp(min=0)
    return torch.from_numpy(smooth) * window


def test_a_quarter_turn_takes_the_right_edge_to_the_top():
    image = torch.zeros(1, 3, 3)
    image[0, 1, 2] = 1.0
    for turned in (
        CyclicRotations(4).act(torch.tensor([1]), image),
        ImageRotations().act(matrix([90.0]), image),
    ):
        torch.testing.assert_close(turned[0, 0, 1].item(), 1.0)
        torch.testing.assert_close(turned.sum().item(), 1.0)


@pytest.mark.parametrize("size", [5, 8])
@pytest.mark.parametrize("order", [4, 8, 12])
def test_quarter_turns_change_no_bit(size, order):
    x = torch.randn(4, 3, size, size, generator=generator())
    turned = CyclicRotations(order).act(torch.arange(4) * order // 4, x)
    assert all(torch.equal(turned[k], torch.rot90(x[k], k, (-2, -1))) for k in range(4))


def test_rotations_by_multiples_of_90_degrees_are_exact_to_rounding():
    x = torch.randn(5, 6, 6, generator=generator(), dtype=torch.float64)
    turned = ImageRotations().act(matrix([0.0, 90.0, 180.0, 270.0, -90.0]), x)
    for k, steps in enumerate((0, 1, 2, 3, 3)):
        torch.testing.assert_close(turned[k], torch.rot90(x[k], steps, (-2, -1)), atol=1e-14, rtol=0)
    assert torch.equal(ImageRotations().act(torch.eye(2).repeat(5, 1, 1), x.float()), x.float())


@pytest.mark.parametrize("degrees", [10.0, 45.0, 60.0, 133.0, -100.0])
def test_rotations_agree_with_scipy(degrees):
    x = images(1, 11, ())
    turned = ImageRotations().act(matrix([degrees]), x)[0]
    quarters = round(degrees / 90)
    straight = torch.rot90(x[0], quarters, (-2, -1)).numpy()
    expected = ndimage.rotate(straight, degrees - 90 * quarters, reshape=False, order=1, mode="constant")
    torch.testing.assert_close(turned, torch.from_numpy(expected), atol=1e-12, rtol=0)


def test_cyclic_and_continuous_rotations_agree():
    x, turns = images(12), torch.arange(12)
    continuous = ImageRotations().act(matrix([30.0 * k for k in range(12)]), x)
    torch.testing.assert_close(CyclicRotations(12).act(turns, x), continuous, atol=1e-12, rtol=0)


def test_only_groups_of_quarter_turns_are_exact():
    assert [n for n in range(1, 13) if CyclicRotations(n).exact] == [1, 2, 4]
    assert not ImageRotations().exact


def test_exact_groups_turn_images_of_integers_and_others_refuse_them():
    labels = torch.arange(9).reshape(1, 3, 3)
    assert CyclicRotations(2).act(torch.tensor([1]), labels).flatten().tolist() == list(range(8, -1, -1))
    for group, element in ((CyclicRotations(8), torch.tensor([1])), (ImageRotations(), torch.eye(2)[None])):
        with pytest.raises(ValueError, match="real numbers"):
            group.act(element, labels)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 4)])
def test_images_that_are_not_square_are_refused(shape):
    with pytest.raises(ValueError, match="square"):
        CyclicRotations(4).act(torch.zeros(2, dtype=torch.int64), torch.zeros(shape))


def test_groups_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match="1 element or more"):
        CyclicRotations(0)
    with pytest.raises(ConfigError, match="2 dimensions"):
        ImageRotations(3)


def test_turns_are_uniform():
    draws = CyclicRotations(5).sample(5000, generator=generator())
    assert chisquare(draws.bincount()).pvalue > 0.01
    angles = ImageRotations().sample(5000, generator=generator(), dtype=torch.float64)
    turn = torch.atan2(angles[:, 1, 0], angles[:, 0, 0])
    assert chisquare(torch.histc(turn, 10, -math.pi, math.pi)).pvalue > 0.01


def test_foreign_integers_are_no_turns():
    assert CyclicRotations(3).contains(torch.tensor([-1, 0, 2, 3])).tolist() == [False, True, True, False]


def test_rotation_has_the_right_gradient():
    x = torch.randn(2, 5, 5, generator=generator(), dtype=torch.float64, requires_grad=True)
    angle = torch.tensor([0.3, 2.0], dtype=torch.float64, requires_grad=True)

    def turn(angle, x):
        rows = [torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)]
        return ImageRotations().act(torch.stack(rows, 1), x)

    assert torch.autograd.gradcheck(turn, (angle, x))
