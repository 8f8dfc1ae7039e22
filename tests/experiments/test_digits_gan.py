"""Digits and their classes stay together when they are turned, and all models train."""

from __future__ import annotations

from argparse import Namespace

import digits_gan
import pytest
import torch

SETTINGS = Namespace(width=8, penalty=0.3, pair_weight=1.0, steps=3, batch_size=16, learning_rate=1e-3)


@pytest.fixture(scope="module")
def digits():
    return digits_gan.split()


@pytest.fixture(scope="module")
def judge(digits):
    torch.manual_seed(0)
    return digits_gan.teach(digits[1], steps=400)


def test_training_and_test_digits_are_others(digits):
    training, test = digits
    assert len(training.images) == 2 * len(test.images)
    assert torch.cdist(training.images, test.images).min() > 0
    assert sorted(set(test.classes.tolist())) == list(range(digits_gan.CLASSES))


def test_turned_digits_are_at_no_distance_from_themselves(digits):
    images = digits[1].images
    torch.manual_seed(0)
    turned = digits_gan.turn(images)
    assert not torch.equal(turned, images)
    assert digits_gan.pose_error(turned, images) == 0
    assert digits_gan.pose_error(images.flip(0), images) > 0.01


def test_frechet_distance_is_that_of_normal_distributions():
    torch.manual_seed(0)
    x = torch.randn(1000, 3, dtype=torch.float64)
    x = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T.cov()), (x - x.mean(0)).T, upper=False).T
    assert digits_gan.frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert digits_gan.frechet(2 * x + 1, x) == pytest.approx(3 * (1 + 1))
    # Of commuting covariances: the squared differences of their roots.
    wide = x * torch.tensor([1.0, 2.0, 4.0])
    assert digits_gan.frechet(x, wide) == pytest.approx(0 + 1 + 9)


def test_classes_that_are_left_out_are_missed(digits, judge):
    test = digits[1]
    whole = digits_gan.figures(judge, test.images, test)
    assert whole["classes"] == digits_gan.CLASSES
    few = digits_gan.figures(judge, test.images[test.classes < 3], test)
    assert few["classes"] < digits_gan.CLASSES
    assert few["histogram"] > whole["histogram"] + 0.3
    assert few["frechet"] > whole["frechet"]


def test_codes_are_invariant(digits):
    torch.manual_seed(0)
    x = digits[1].images
    model = digits_gan.build("IVE-GAN", SETTINGS)
    assert torch.allclose(model.encoder(x), model.encoder(digits_gan.turn(x)), atol=1e-5)


@pytest.mark.parametrize("name", digits_gan.MODELS)
def test_models_train_and_repeat_by_their_seed(name, digits, judge):
    def figures():
        torch.manual_seed(0)
        model = digits_gan.fit(digits_gan.build(name, SETTINGS), digits[0].draw, SETTINGS)
        return digits_gan.measure(model, judge, *digits)

    once = figures()
    assert once == figures()
    assert 0 <= once["classes"] <= digits_gan.CLASSES
