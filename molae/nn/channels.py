"""The channels of a code by how a reflection changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from e3nn.o3 import Irreps


class CodeChannels(NamedTuple):
    """Numbers of channels of a code, in their order.

    Attributes:
        summary: Those of the summary, which no slot has a part in; even.
        even: Those that a mirror image shares.
        odd: Those whose sign a reflection changes.
    """

    summary: int
    even: int
    odd: int = 0

    @property
    def size(self) -> int:
        """All of them."""
        return sum(self)

    @property
    def irreps(self) -> Irreps:
        """The representation of O(3) that the code is, as e3nn names it."""
        # Here, because importing e3nn brings torch's compiler along and takes longer than loading a model.
        from e3nn.o3 import Irreps

        return Irreps(f"{self.summary}x0e + {self.even}x0e + {self.odd}x0o")
