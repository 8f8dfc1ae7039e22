"""The group element that an encoder returns for each graph of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from molae.groups.base import Group
from molae.groups.euclidean import Euclidean, RigidMotion
from molae.groups.permutation import SymmetricGroup, inverse_index, take_nodes
from molae.groups.product import DirectProduct, ProductElement


@dataclass(frozen=True)
class GroupAction:
    """A batched group element g that moves a decoder's canonical x̂ onto x = P (x̂ Rᵀ) + t.

    Values on slots (canonical order and pose) go to nodes (order and pose of the input) by `nodes`, `edges`
    and `positions`, and back by their `canonical_` inverses. Rows at padding carry no meaning.

    Attributes:
        permutation: Slot of each node, (P x̂)_i = x̂_{slot_i}; or, while soft, a doubly stochastic matrix
            with a row for each node and a column for each slot.
        rotation: R, or None for graphs without coordinates.
        translation: t in Å, or None for graphs without coordinates.
        diagnostics: Figures on how well g is defined, one for each graph, such as `degeneracy`.

    Example:
        >>> action = GroupAction(permutation=torch.tensor([[2, 0, 1]]))
        >>> action.nodes(torch.tensor([[[0.0], [1.0], [2.0]]])).flatten()
        tensor([2., 0., 1.])
    """

    permutation: Int[Tensor, "b m"] | Float[Tensor, "b m m"]
    rotation: Float[Tensor, "b 3 3"] | None = None
    translation: Float[Tensor, "b 3"] | None = None
    diagnostics: Mapping[str, Shaped[Tensor, " b"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hard = self.permutation.ndim == 2 and self.permutation.dtype == torch.int64
        soft = self.permutation.ndim == 3 and self.permutation.is_floating_point()
        if not (hard or soft):
            raise ValueError(
                "permutation must be an int64 index (b m) or a floating-point matrix (b m m), got "
                f"{self.permutation.dtype} of shape {tuple(self.permutation.shape)}"
            )
        if (self.rotation is None) != (self.translation is None):
            raise ValueError("give both rotation and translation, or neither for graphs without coordinates")

    def __len__(self) -> int:
        return len(self.permutation)

    @property
    def is_hard(self) -> bool:
        """Whether the permutation is an index, not a soft matrix."""
        return self.permutation.ndim == 2

    @property
    def hard_index(self) -> Int[Tensor, "b m"]:
        """Slot of each node.

        Raises:
            ValueError: If the permutation is soft.
        """
        if not self.is_hard:
            raise ValueError(
                "a soft permutation has no index: make a hard one of its matrix with `molae.ops.assign`"
            )
        return self.permutation

    @property
    def group(self) -> Group[Any]:
        """The group that g belongs to: E(3) × S_m, or S_m for graphs without coordinates."""
        symmetric = SymmetricGroup(self.permutation.shape[1])
        return symmetric if self.rotation is None else DirectProduct(Euclidean(3), symmetric)

    @property
    def element(self) -> ProductElement[RigidMotion, Int[Tensor, "b m"]] | Int[Tensor, "b m"]:
        """This action as an element of its `group`, so that `group.act(element, x̂)` is `positions(x̂)`.

        Raises:
            ValueError: If the permutation is soft.
        """
        if self.rotation is None or self.translation is None:
            return self.hard_index
        return ProductElement(RigidMotion(self.rotation, self.translation), self.hard_index)

    def nodes(self, values: Shaped[Tensor, "b m *d"]) -> Shaped[Tensor, "b m *d"]:
        """Brings node values from slots to nodes."""
        return _permute(self.permutation, values)

    def edges(self, values: Shaped[Tensor, "b m m *d"]) -> Shaped[Tensor, "b m m *d"]:
        """Brings edge values from pairs of slots to pairs of nodes."""
        return _permute_both(self.permutation, values)

    def positions(self, canonical: Float[Tensor, "b m 3"]) -> Float[Tensor, "b m 3"]:
        """Moves canonical positions onto the input's.

        Args:
            canonical: x̂ in Å, a row for each slot.
        Returns:
            P (x̂ Rᵀ) + t in Å, a row for each node.
        Raises:
            ValueError: If the action has no rotation and translation.
        """
        rotation, translation = self._motion()
        return self.nodes(canonical @ rotation.mT) + translation.unsqueeze(1)

    def canonical_nodes(self, values: Shaped[Tensor, "b m *d"]) -> Shaped[Tensor, "b m *d"]:
        """Brings node values from nodes to slots; by Pᵀ where the permutation is soft."""
        return _permute(self._inverse_permutation(), values)

    def canonical_edges(self, values: Shaped[Tensor, "b m m *d"]) -> Shaped[Tensor, "b m m *d"]:
        """Brings edge values from pairs of nodes to pairs of slots; by Pᵀ where the permutation is soft."""
        return _permute_both(self._inverse_permutation(), values)

    def canonical_categories(
        self, categories: Int[Tensor, "b m m"], count: int, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "b m m t"]:
        """Brings categories of edges to pairs of slots, one-hot: the same as `canonical_edges` of the one-hot
        matrix, but an index moves the categories before they are spread, which is cheaper.

        Args:
            categories: Category of each pair of nodes, from 0; -1 for a pair that has none.
            count: Number of categories.
            dtype: Type of the result.
        Returns:
            Share of each category, for each pair of slots.
        """
        if self.is_hard:
            return _one_hot(self.canonical_edges(categories), count, dtype)
        return self.canonical_edges(_one_hot(categories, count, dtype))

    def canonical_positions(self, positions: Float[Tensor, "b m 3"]) -> Float[Tensor, "b m 3"]:
        """Moves positions into the canonical order and pose.

        Args:
            positions: x in Å, a row for each node.
        Returns:
            P⁻¹ (x - t) R in Å, a row for each slot, with Pᵀ for P⁻¹ where the permutation is soft.
        Raises:
            ValueError: If the action has no rotation and translation.
        """
        rotation, translation = self._motion()
        return self.canonical_nodes((positions - translation.unsqueeze(1)) @ rotation)

    def detach(self) -> GroupAction:
        """Gives the same action without its gradient."""
        return GroupAction(
            permutation=self.permutation.detach(),
            rotation=None if self.rotation is None else self.rotation.detach(),
            translation=None if self.translation is None else self.translation.detach(),
            diagnostics={name: figure.detach() for name, figure in self.diagnostics.items()},
        )

    def _inverse_permutation(self) -> Tensor:
        return inverse_index(self.permutation) if self.is_hard else self.permutation.mT

    def _motion(self) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 3"]]:
        if self.rotation is None or self.translation is None:
            raise ValueError("an action without rotation and translation does not move positions")
        return self.rotation, self.translation


def _permute(permutation: Tensor, values: Tensor) -> Tensor:
    """Applies an index (b m) or a matrix (b m m) to axis 1 of `values`."""
    if permutation.ndim == 2:
        return take_nodes(values, permutation)
    return torch.einsum("bij,bj...->bi...", permutation, values)


def _permute_both(permutation: Tensor, values: Tensor) -> Tensor:
    """Applies an index (b m) or a matrix (b m m) to axes 1 and 2 of `values`."""
    return _permute(permutation, _permute(permutation, values).transpose(1, 2)).transpose(1, 2)


def _one_hot(categories: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    # Not torch's own, which goes by way of a matrix of int64.
    return (categories.unsqueeze(-1) == torch.arange(count, device=categories.device)).to(dtype)
