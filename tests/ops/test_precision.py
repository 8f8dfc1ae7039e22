from __future__ import annotations

import pytest
import torch

from molae.ops import full_precision


@full_precision
def product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    assert not torch.is_autocast_enabled("cpu")
    return first @ second


@pytest.mark.parametrize("mixed", [False, True])
def test_products_stay_in_full_precision(mixed: bool) -> None:
    torch.manual_seed(0)
    first, second = torch.randn(2, 8, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        found = product(first, second)
        assert (first @ second).dtype == (torch.bfloat16 if mixed else torch.float32)
        assert torch.is_autocast_enabled("cpu") == mixed
    torch.testing.assert_close(found, first @ second)
