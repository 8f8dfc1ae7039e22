"""Where a graph's own frame of reference comes from: rotation and translation heads."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.nn.trunk import NodeFeatures
from molae.ops import gram_schmidt_frame, lowdin_frame

FRAMES = {"lowdin": lowdin_frame, "gram_schmidt": gram_schmidt_frame}


class SlotPose(nn.Module):
    """Frame from two vectors pooled with weights that depend on the slot of a node.

    The weights are the lowest cosine modes along the slots 0 .. n-1, so the vectors are the lowest
    normal modes of a chain. Because slots are all different, the vectors vanish for no symmetric molecule,
    unlike any pooling of nodes that do not know their slot; only collinear molecules leave the frame open,
    and for these every completion gives the same canonical positions.

    Args:
        vectors: Vector channels of a node.
        frame: `lowdin` or `gram_schmidt`.
    """

    def __init__(self, vectors: int, frame: str) -> None:
        super().__init__()
        self.frame = FRAMES[frame]
        self.mix = nn.Linear(vectors - 1, 1, bias=False) if vectors > 1 else None

    def forward(
        self, features: NodeFeatures, permutation: Tensor, sizes: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, " b"]]:
        """Returns rotations and their degeneracy, see `molae.ops.lowdin_frame`."""
        pooled = slot_modes(permutation, sizes, features.vectors.dtype).mT @ self._vectors(features)
        return self.frame(pooled / sizes.clamp(min=1).view(-1, 1, 1))

    def _vectors(self, features: NodeFeatures) -> Float[Tensor, "b m 3"]:
        position, others = features.vectors[:, :, 0], features.vectors[:, :, 1:]
        return position if self.mix is None else position + self.mix(others.mT).squeeze(-1)


class PooledPose(nn.Module):
    """Frame from two vectors pooled with learned weights of the nodes, as published (GIAE, Winter et al.
    2022).

    Symmetric molecules make both vectors vanish; the degeneracy tells.

    Args:
        width: Scalar channels of a node.
        vectors: Vector channels of a node.
        frame: `lowdin` or `gram_schmidt`.
    """

    def __init__(self, width: int, vectors: int, frame: str) -> None:
        super().__init__()
        self.frame = FRAMES[frame]
        self.weigh = nn.Linear(width, 2 * vectors)

    def forward(
        self, features: NodeFeatures, sizes: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, " b"]]:
        """Returns rotations and their degeneracy, see `molae.ops.lowdin_frame`."""
        weights = self.weigh(features.scalars).unflatten(-1, (2, -1))
        pooled = torch.einsum("bmkv,bmvx->bkx", weights, features.vectors)
        return self.frame(pooled / sizes.clamp(min=1).view(-1, 1, 1))


def slot_modes(permutation: Tensor, sizes: Int[Tensor, " b"], dtype: torch.dtype) -> Float[Tensor, "b m 2"]:
    """Modes cos φ and cos 2φ + cos 3φ, φ = π (s + ½) / n, of each node's slot s, or their expectation."""
    hard = permutation.ndim == 2
    slots = (
        permutation if hard else torch.arange(permutation.shape[1], device=permutation.device).unsqueeze(0)
    )
    phase = math.pi * (slots.to(dtype) + 0.5) / sizes.clamp(min=1).unsqueeze(1)
    # cos 2φ alone would vanish on every chain with an inversion centre, such as anti-butane.
    modes = torch.stack([torch.cos(phase), torch.cos(2 * phase) + torch.cos(3 * phase)], dim=-1)
    return modes if hard else permutation.to(dtype) @ modes
