from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from molae.ops import safe_norm, safe_normalise


@pytest.mark.parametrize("function", [safe_norm, safe_normalise])
def test_gradient_is_zero_at_zero_and_exact_elsewhere(function):
    x = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 3.0]], requires_grad=True)
    function(x).sum().backward()
    assert torch.equal(x.grad[0], torch.zeros(3))
    assert gradcheck(function, torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64, requires_grad=True))


def test_coincident_points_have_finite_gradients():
    x = torch.ones(4, 3, requires_grad=True)
    safe_norm(x.unsqueeze(0) - x.unsqueeze(1)).sum().backward()
    assert torch.equal(x.grad, torch.zeros(4, 3))


def test_norm_and_direction_along_any_axis():
    x = torch.tensor([[3.0, 0.0], [4.0, 0.0]])
    assert torch.equal(safe_norm(x, dim=0), torch.tensor([[5.0, 0.0]]))
    assert torch.equal(safe_normalise(x, dim=0), torch.tensor([[0.6, 0.0], [0.8, 0.0]]))


def test_eps_is_the_length_that_counts_as_zero():
    x = torch.tensor([[1e-3, 0.0], [1e-2, 0.0]], dtype=torch.float64)
    assert safe_norm(x, eps=5e-3).flatten().tolist() == [0.0, 1e-2]
    assert safe_normalise(x, eps=5e-3).tolist() == [[0.0, 0.0], [1.0, 0.0]]
