"""What all aligners have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.groups.action import GroupAction
from molae.registry import Registry


class Aligner(nn.Module):
    """Finds the permutation part of the group element.

    The permutation is soft, a doubly stochastic matrix, at most while training; at evaluation it is always
    valid.

    Attributes:
        predicts: Whether `forward` knows the slots, before anything is decoded.
        reads_features: Whether the slots depend on the scalars, which must then tell the nodes apart.
    """

    predicts = True
    reads_features = False

    @abstractmethod
    def forward(self, scalars: Float[Tensor, "b m d"], batch: DenseBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predicts the slots of the nodes.

        Args:
            scalars: Invariant features of the nodes.
            batch: The graphs.
        Returns:
            Slot of each node (b m), or a soft permutation (b m m, nodes by slots); and the losses that teach
            it, one value for each graph.
        """

    def match(
        self, action: GroupAction, costs: Callable[[], Float[Tensor, "b m m"]], batch: DenseBatch
    ) -> GroupAction:
        """Revises the action once the decoder's output is known; predicted permutations stay as they are.

        Args:
            action: Action that the encoder returned.
            costs: Computes the cost of giving a node (row) to a slot (column).
            batch: The graphs.
        Returns:
            The action to align by.
        """
        return action


ALIGNERS: Registry[Aligner] = Registry("aligner")
