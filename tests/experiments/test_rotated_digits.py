"""Codes of digits stay as they are when the digit is turned, and what MNIST needs is told."""

from __future__ import annotations

import sys
from argparse import Namespace

import numpy as np
import pytest
import rotated_digits
import torch

from molae.errors import ConfigError, DataError

SETTINGS = Namespace(seed=0, copies=1, steps=30, batch_size=16, learning_rate=3e-3)
every_model = pytest.mark.parametrize("name", rotated_digits.MODELS)


@pytest.fixture(scope="module")
def digits():
    images, classes, unseen = rotated_digits.digits(seed=0)
    return images[:240], classes[:240], unseen[:240]


def new(name, size=12):
    torch.manual_seed(0)
    return rotated_digits.MODELS[name](code_size=6, width=16, noise=0.1, size=size)


def trained(name, digits, **changes):
    model = new(name)
    rotated_digits.fit(model, digits[0][~digits[2]], Namespace(**(vars(SETTINGS) | changes)))
    return model


def test_a_third_of_the_digits_is_for_testing_and_has_a_margin():
    images, classes, unseen = rotated_digits.digits(seed=0)
    assert len(images) == len(classes) == 1797
    assert int(unseen.sum()) == 599
    assert images[:, :2].max() == 0 == images[:, :, -2:].max()
    assert not torch.equal(unseen, rotated_digits.digits(seed=1)[2])


def test_turning_by_parts_is_turning_at_once(digits, monkeypatch):
    once = rotated_digits.present(digits[0], torch.Generator().manual_seed(3))
    monkeypatch.setattr(rotated_digits, "PART", 7)
    assert torch.equal(rotated_digits.present(digits[0], torch.Generator().manual_seed(3)), once)


@pytest.mark.parametrize("name", ["invariant", "norm-pooled"])
def test_codes_do_not_change_by_quarter_turns(name, digits):
    model = trained(name, digits)
    with torch.no_grad():
        code, turned = model.code(digits[0]), model.code(digits[0].rot90(1, (1, 2)))
    assert torch.allclose(code, turned, atol=1e-4)
    assert code.std(0).max() > 1e-2


def test_a_turned_digit_is_reconstructed_turned(digits):
    def change(name):
        model = trained(name, digits)
        with torch.no_grad():
            return (model(digits[0].rot90(1, (1, 2))) - model(digits[0]).rot90(1, (1, 2))).abs().max()

    assert change("invariant") < 1e-3
    assert change("classical") > 0.05


def test_the_least_error_is_found_between_the_poses_that_are_tried():
    angle = torch.tensor([0.0, 0.1, 3.0, 6.2])
    found = rotated_digits.least((rotated_digits.poses() - angle.unsqueeze(1)).cos().neg())
    apart = (found - angle).remainder(2 * torch.pi)
    assert torch.minimum(apart, 2 * torch.pi - apart).max() < 0.01
    assert torch.equal(rotated_digits.least(torch.ones(1, rotated_digits.POSES)), torch.zeros(1))


@every_model
def test_models_train_and_repeat_by_their_seed(name, digits):
    def figures(**changes):
        return rotated_digits.measure(trained(name, digits, **changes), *digits, seed=0)

    once = figures()
    assert once == figures()
    assert once["loss"] < figures(steps=1)["loss"]
    assert 0 <= once["knn"] <= 1


def write_idx(path, array):
    """The format of MNIST: two zeros, the type, the number of axes, their lengths, and the bytes."""
    lengths = np.array(array.shape, dtype=">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + lengths + array.astype(np.uint8).tobytes())


def test_mnist_is_read_where_torchvision_put_it(tmp_path):
    pytest.importorskip("torchvision")
    with pytest.raises(DataError, match="download=True"):
        rotated_digits.mnist(tmp_path)
    raw, random = tmp_path / "MNIST" / "raw", np.random.default_rng(0)
    raw.mkdir(parents=True)
    pictures = random.integers(256, size=(9, 28, 28))
    for name, rows in (("train", slice(0, 6)), ("t10k", slice(6, 9))):
        write_idx(raw / f"{name}-images-idx3-ubyte", pictures[rows])
        write_idx(raw / f"{name}-labels-idx1-ubyte", np.arange(9)[rows])
    images, classes, unseen = rotated_digits.mnist(tmp_path)
    assert torch.allclose(images, torch.from_numpy(pictures).float() / 255)
    assert classes.tolist() == list(range(9))
    assert unseen.tolist() == [False] * 6 + [True] * 3


def test_without_torchvision_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ConfigError, match="pip install torchvision"):
        rotated_digits.mnist(tmp_path)


@every_model
def test_models_take_images_of_the_size_of_mnist(name):
    model, images = new(name, size=28).eval(), torch.rand(3, 28, 28)
    assert model(images).shape == images.shape
