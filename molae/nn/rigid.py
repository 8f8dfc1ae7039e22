"""Which of several geometries of the rigid parts of a molecule, its rings above all, are likely."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from molae.nn.torques import RADIAL, Context, radial_basis
from molae.ops import safe_norm


class RigidScore(nn.Module):
    """Scores geometries by those distances that no turn about a bond changes.

    Args:
        pair_width: Channels of a pair of atoms.
    """

    def __init__(self, pair_width: int) -> None:
        super().__init__()
        self.distance = nn.Linear(RADIAL, pair_width, bias=False)
        self.score = nn.Sequential(
            nn.SiLU(), nn.Linear(pair_width, pair_width), nn.SiLU(), nn.Linear(pair_width, 1)
        )

    def forward(
        self,
        context: Context,
        pos: Float[Tensor, "c m 3"],
        bonds: Int[Tensor, "c t 2"],
        moved: Bool[Tensor, "c t m"],
    ) -> Float[Tensor, " c"]:
        """Returns a score for each geometry; those of one molecule compare.

        Args:
            context: What the graphs tell, a row for each geometry.
            pos: Positions in Å.
            bonds: Both ends of each rotatable bond.
            moved: Whether an atom lies behind the second end of a bond.
        """
        distance = safe_norm(pos.unsqueeze(2) - pos.unsqueeze(1)).squeeze(-1)
        kept = context.real * ~_changed(bonds, moved)
        hidden = context.pairs * (1 + self.distance(radial_basis(distance)))
        return (self.score(hidden).squeeze(-1) * kept).sum((1, 2)) / kept.sum((1, 2)).clamp(min=1).sqrt()


def _changed(bonds: Int[Tensor, "c t 2"], moved: Bool[Tensor, "c t m"]) -> Bool[Tensor, "c m m"]:
    """Pairs of atoms whose distance changes with a turn: on both sides of a bond, and not on its axis."""
    begin, end = bonds.unsqueeze(-1).unbind(2)
    behind = moved.scatter(2, end, False).float()
    ahead = (~moved).scatter(2, begin, False).float()
    across = behind.mT @ ahead
    return (across + across.mT) > 0
