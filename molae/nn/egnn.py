"""E(n)-equivariant message passing on dense batches (Satorras et al. 2021, arXiv:2102.09844)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from molae.ops import safe_norm

if TYPE_CHECKING:
    from e3nn.o3 import Irreps


class EquivariantLayer(nn.Module):
    """One round of messages between all pairs of nodes.

    Messages see both nodes' scalars, their distance and their edge; vectors grow along unit differences with
    bounded weights, so that depth does not blow them up. A reflection leaves the scalars and turns the
    vectors: `irreps` names them.

    Args:
        width: Scalar channels of a node.
        vectors: Vector channels of a node.
        edge_types: Number of edge categories.
        coordinates: Whether nodes have positions; without them there are no distances and no vectors.
        edge_numbers: Number of continuous attributes of a pair of nodes.
    """

    def __init__(
        self, width: int, vectors: int, edge_types: int, coordinates: bool = True, edge_numbers: int = 0
    ) -> None:
        super().__init__()
        vectors = vectors if coordinates else 0
        self.width, self.vectors = width, vectors
        self.ends = nn.Linear(width, 2 * width)
        self.edge = nn.Embedding(edge_types, width)
        self.number = nn.Linear(edge_numbers, width, bias=False) if edge_numbers else None
        self.distance = nn.Linear(RADIAL, width, bias=False) if coordinates else None
        self.message = nn.Linear(width, width)
        self.weigh = nn.Linear(width, vectors) if coordinates else None
        self.update = nn.Sequential(nn.Linear(2 * width + vectors, width), nn.SiLU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)

    @property
    def irreps(self) -> Irreps:
        """What it takes and gives, as e3nn names it."""
        from e3nn.o3 import Irreps

        return Irreps(f"{self.width}x0e + {self.vectors}x1o")

    def forward(
        self,
        scalars: Float[Tensor, "b m d"],
        vectors: Float[Tensor, "b m v 3"],
        pos: Float[Tensor, "b m 3"] | None,
        edges: Int[Tensor, "b m m"],
        mask: Bool[Tensor, "b m"],
        numbers: Float[Tensor, "b m m p"] | None = None,
    ) -> tuple[Float[Tensor, "b m d"], Float[Tensor, "b m v 3"]]:
        """Returns the updated scalars and vectors."""
        to, of = self.ends(self.norm(scalars)).chunk(2, dim=-1)
        hidden = to.unsqueeze(2) + of.unsqueeze(1) + self.edge(edges)
        if self.number is not None and numbers is not None:
            hidden = hidden + self.number(numbers)
        if self.distance is not None and pos is not None:
            away = pos.unsqueeze(2) - pos.unsqueeze(1)
            distance = safe_norm(away)
            hidden = hidden + self.distance(radial_basis(distance))
        pairs = (mask.unsqueeze(2) & mask.unsqueeze(1)).unsqueeze(-1)
        message = nn.functional.silu(self.message(nn.functional.silu(hidden))) * pairs
        count = mask.sum(1).to(vectors.dtype).view(-1, 1, 1).clamp(min=1)
        if self.weigh is not None and pos is not None:
            weights = torch.tanh(self.weigh(message)) * pairs / (1.0 + distance)
            vectors = vectors + torch.einsum("bijv,bijx->bivx", weights, away) / count.unsqueeze(-1)
        received = message.sum(2) / count.sqrt()
        lengths = safe_norm(vectors).squeeze(-1)
        return scalars + self.update(torch.cat([scalars, received, lengths], dim=-1)), vectors


#: Number of radial basis functions of a distance.
RADIAL = 12


def radial_basis(distance: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b r"]:
    """Gaussians of a distance in Å, centred every 0.5 Å up to 5.5 Å, the last one kept at 1 beyond."""
    centres = torch.arange(RADIAL, dtype=distance.dtype, device=distance.device) * 0.5
    return torch.exp(-2.0 * (distance.clamp(max=5.5) - centres) ** 2)
