"""What all decoders have in common."""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from molae.registry import Registry
from molae.types import Decoded


class Decoder(nn.Module):
    """Rebuilds a graph from its code; it never sees the input, nor the group element."""

    @abstractmethod
    def forward(self, code: Float[Tensor, "b d"], slots: int) -> Decoded:
        """Decodes the first `slots` slots of each graph.

        Args:
            code: Invariant codes.
            slots: Number of slots wanted, at most the schema's `max_nodes`.
        Returns:
            Scores and positions on the slots.
        """


DECODERS: Registry[Decoder] = Registry("decoder")
