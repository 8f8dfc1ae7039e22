"""Rigid motions: a rotation followed by a translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molae.groups.base import Group
from molae.groups.rotation import Orthogonal, SpecialOrthogonal
from molae.groups.translation import Translations


class RigidMotion(NamedTuple):
    """Element of a Euclidean group, x -> x Rᵀ + t."""

    rotation: Float[Tensor, "b k k"]
    translation: Float[Tensor, "b k"]


@dataclass(frozen=True)
class Euclidean(Group[RigidMotion]):
    """Rotations, reflections and translations E(k), the semidirect product of O(k) and the translations.

    Attributes:
        dimension: Number of dimensions k of the space.
        spread: Standard deviation of sampled translations, in Å.
    """

    dimension: int = 3
    spread: float = 1.0

    @property
    def rotations(self) -> Orthogonal:
        """The rotations and reflections O(k)."""
        return Orthogonal(self.dimension)

    @property
    def translations(self) -> Translations:
        """The translations of the same space."""
        return Translations(self.dimension, self.spread)

    def identity(
        self, batch_size: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> RigidMotion:
        """Gives motions that leave everything in place."""
        return RigidMotion(
            self.rotations.identity(batch_size, dtype=dtype, device=device),
            self.translations.identity(batch_size, dtype=dtype, device=device),
        )

    def sample(
        self,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> RigidMotion:
        """Draws uniform rotations and normal translations."""
        return RigidMotion(
            self.rotations.sample(batch_size, generator=generator, dtype=dtype, device=device),
            self.translations.sample(batch_size, generator=generator, dtype=dtype, device=device),
        )

    def compose(self, a: RigidMotion, b: RigidMotion) -> RigidMotion:
        """Gives the motion that acts as `b` and then `a`: (x R_bᵀ + t_b) R_aᵀ + t_a."""
        shift = self._turn(a.rotation, b.translation)
        return RigidMotion(
            self.rotations.compose(a.rotation, b.rotation), self.translations.compose(a.translation, shift)
        )

    def inverse(self, a: RigidMotion) -> RigidMotion:
        """Gives the motion that undoes `a`: (x - t) R."""
        back = self.rotations.inverse(a.rotation)
        return RigidMotion(back, self.translations.inverse(self._turn(back, a.translation)))

    def act(self, a: RigidMotion, x: Float[Tensor, "b m k"]) -> Float[Tensor, "b m k"]:
        """Moves each row: x Rᵀ + t."""
        return self.translations.act(a.translation, self.rotations.act(a.rotation, x))

    def contains(self, a: RigidMotion, tolerance: float = 1e-6) -> Bool[Tensor, " b"]:
        """Tells whether both parts are elements of their groups."""
        return self.rotations.contains(a.rotation, tolerance) & self.translations.contains(a.translation)

    def _turn(self, rotation: Float[Tensor, "b k k"], shift: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        return self.rotations.act(rotation, shift.unsqueeze(1)).squeeze(1)


@dataclass(frozen=True)
class SpecialEuclidean(Euclidean):
    """Rotations and translations SE(k), without reflections.

    Attributes:
        dimension: Number of dimensions k of the space.
        spread: Standard deviation of sampled translations, in Å.

    Example:
        >>> group = SpecialEuclidean(3)
        >>> g, x = group.sample(2), torch.randn(2, 5, 3)
        >>> torch.allclose(group.act(group.inverse(g), group.act(g, x)), x, atol=1e-5)
        True
    """

    @property
    def rotations(self) -> SpecialOrthogonal:
        """The rotations SO(k)."""
        return SpecialOrthogonal(self.dimension)
