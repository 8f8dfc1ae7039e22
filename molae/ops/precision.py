"""Keeping geometry out of reduced precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def full_precision(function: Callable[P, T]) -> Callable[P, T]:
    """Runs a function outside of automatic mixed precision.

    Positions and frames need it: bfloat16 has eight bits, which is 0.01 Å on a position of 2 Å.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        # To enter and leave what changes nothing takes as long as a small product of matrices.
        if not (torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")):
            return function(*args, **kwargs)
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            return function(*args, **kwargs)

    return run
