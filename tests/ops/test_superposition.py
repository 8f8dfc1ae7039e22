from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from molae.chem.rmsd import rmsd_superposed
from molae.ops import superposed_deviation


def test_it_is_the_square_of_the_rmsd() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 4, 7, 3))
    mask = torch.ones(4, 7, dtype=torch.bool)
    found = superposed_deviation(torch.from_numpy(x), torch.from_numpy(y), mask).sqrt()
    expected = [rmsd_superposed(a, b, np.arange(7)[None]) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_mirror_images_are_not_alike_but_moved_ones_are() -> None:
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 6, 3)))
    mask = torch.ones(1, 6, dtype=torch.bool)
    rotation = torch.from_numpy(Rotation.random(rng=np.random.default_rng(0)).as_matrix())
    assert superposed_deviation(x, x @ rotation.T + 3, mask) < 1e-12
    assert superposed_deviation(x, -x, mask) > 0.1


def test_padding_and_degenerate_structures_have_finite_gradients() -> None:
    flat = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 9, 9]]] * 2, dtype=torch.float64)
    flat[1] = 0
    flat.requires_grad_()
    mask = torch.tensor([[True, True, True, False]] * 2)
    loss = superposed_deviation(flat, torch.randn(2, 4, 3, dtype=torch.float64), mask).sum()
    loss.backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
    assert (flat.grad[:, 3] == 0).all()
