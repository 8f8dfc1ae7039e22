"""What the processes of a run tell one another."""

from __future__ import annotations

from typing import cast

from lightning_fabric import Fabric
from torch import Tensor


def total(fabric: Fabric, values: Tensor) -> Tensor:
    """The sum of a tensor over all processes.

    Args:
        fabric: Runtime of the processes.
        values: Tensor on the device of the process, of the same shape in all of them.
    Returns:
        The sum, the same in all processes.
    """
    if fabric.world_size == 1:
        return values
    return cast(Tensor, fabric.all_reduce(values, reduce_op="sum"))
