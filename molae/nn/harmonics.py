"""Circular harmonics: numbers of an image that a rotation multiplies by phases."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

#: Highest order that a ring carries, over its radius in pixels; what pixels resolve is π times the radius.
PER_RADIUS = 1.8


class CircularHarmonics(nn.Module):
    """Projects square images on rings times exp(i m φ), the irreducible representations of SO(2).

    The coefficients c of an image turned anticlockwise by α are c exp(-i m α): exactly for quarter turns, and
    to what its pixels resolve for others. On coefficients the action of SO(2) is exact for all angles, and
    absolute values are invariant. Rings are a pixel apart, and orthonormal for each m; at a small radius only
    low orders are taken, as pixels do not resolve the others.

    Args:
        size: Pixels along a side.
        orders: Highest order m.

    Attributes:
        order: Order m of each coefficient.

    Example:
        >>> harmonics, image = CircularHarmonics(8), torch.randn(2, 8, 8)
        >>> turned = harmonics(torch.rot90(image, 1, (1, 2)))
        >>> quarter = torch.full((2,), torch.pi / 2)
        >>> torch.allclose(turned, harmonics.turn(harmonics(image), quarter), atol=1e-5)
        True
    """

    basis: Tensor
    order: Tensor

    def __init__(self, size: int, orders: int = 10) -> None:
        super().__init__()
        step = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
        place = torch.complex(step.expand(size, size), -step.unsqueeze(1).expand(size, size)).flatten()
        columns, counts = [], []
        for order in range(orders + 1):
            radius = torch.arange(0.5, size / 2 + 0.1, dtype=torch.float64)
            radius = radius[radius * PER_RADIUS >= order]
            rings = torch.exp(-((place.abs().unsqueeze(1) - radius) ** 2) / (2 * 0.6**2))
            # The centre has no angle: there only the order 0 is not zero.
            wave = torch.polar(((place.abs() > 0) | (order == 0)).double(), -order * place.angle())
            # QR keeps the phases of a column as they are up to one that is common to all of them.
            columns.append(torch.linalg.qr(rings * wave.unsqueeze(1)).Q * (1.0 if order == 0 else 2**0.5))
            counts += [order] * len(radius)
        basis = torch.view_as_real(torch.cat(columns, 1).resolve_conj()).to(torch.get_default_dtype())
        self.register_buffer("basis", basis.permute(2, 0, 1).contiguous(), persistent=False)
        self.register_buffer("order", torch.tensor(counts, dtype=basis.dtype), persistent=False)

    def forward(self, images: Float[Tensor, "b h h"]) -> Complex[Tensor, "b c"]:
        """Returns the coefficients."""
        return torch.complex(*(images.flatten(1) @ self.basis))

    def turn(
        self, coefficients: Complex[Tensor, "*b c"], angle: Float[Tensor, " *b"]
    ) -> Complex[Tensor, "*b c"]:
        """Turns images by turning their coefficients.

        Args:
            coefficients: Of the images.
            angle: Anticlockwise, in radians.
        Returns:
            Coefficients of the turned images.
        """
        phase = -angle.unsqueeze(-1) * self.order
        return coefficients * torch.complex(phase.cos(), phase.sin())
