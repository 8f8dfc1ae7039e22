"""Rotations from vectors."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molae.errors import DegenerateFrameError
from molae.ops.norms import safe_normalise


def lowdin_frame(vectors: Float[Tensor, "b 2 3"]) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, " b"]]:
    """Makes a rotation of two vectors by symmetric orthogonalisation (Löwdin 1950, doi:10.1063/1.1747632).

    The first two axes are the orthonormal pair nearest to the two vectors, the rows of (V Vᵀ)^(-1/2) V. With
    the normal n = v1 × v2 / |v1 × v2| of their plane that is, in closed form,

        a1 = (v1 - n × v2) / |v1 - n × v2|,   a2 = n × a1,   a3 = n.

    A rotation Q of the vectors turns the frame, R(V Qᵀ) = Q R(V); a point reflection flips a1 and a2 and
    keeps a3. Collinear vectors leave n open; a rule that depends on their direction alone fixes it, and a1
    and a2 follow as above, so that what lies along the vectors has the same coordinates in the frame as when
    they are a little bent. Zero vectors give the identity. Gradients are finite for all of them. Vectors
    shorter than the square root of the machine precision count as zero: their scale should be near 1.

    Args:
        vectors: Two vectors v1, v2 of each graph.
    Returns:
        Proper rotations R with the axes a1, a2, a3 as columns, so that `(x - t) @ R` are canonical
        coordinates; and the degeneracy, the ratio of the smaller to the larger singular value of V,
        from 0 (collinear or zero: R is not determined) to 1, without gradient.

    Example:
        >>> rotation, degeneracy = lowdin_frame(torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]))
        >>> rotation[0]
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
        >>> degeneracy
        tensor([0.5000])
    """
    normal, _, degeneracy = _plane(vectors)
    v1, v2 = vectors.unbind(dim=1)
    leading = v1 - torch.linalg.cross(normal, v2)
    zero = vectors.detach().norm(dim=2).amax(dim=1, keepdim=True) <= torch.finfo(vectors.dtype).eps ** 0.5
    return _frame(torch.where(zero, _common_direction(vectors), leading), normal), degeneracy


def gram_schmidt_frame(vectors: Float[Tensor, "b 2 3"]) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, " b"]]:
    """Makes a rotation of two vectors by Gram-Schmidt orthogonalisation, a1 along the first one.

    As `lowdin_frame` in everything else, which treats both vectors alike and so is less sensitive to noise
    in the first.

    Args:
        vectors: Two vectors v1, v2 of each graph.
    Returns:
        Proper rotations with the axes as columns, and the degeneracy, as in `lowdin_frame`.
    """
    normal, collinear, degeneracy = _plane(vectors)
    leading = torch.where(collinear, _common_direction(vectors), vectors[:, 0])
    return _frame(leading, normal), degeneracy


def align_rotation(
    source: Float[Tensor, "*b m 3"], target: Float[Tensor, "*b m 3"]
) -> Float[Tensor, "*b 3 3"]:
    """Finds the proper rotation that best maps `source` onto `target`.

    Kabsch 1976, doi:10.1107/S0567739476001873. Where several fit equally well, such as for a tetrahedron and
    its mirror image, it is any one of them.

    Args:
        source: Centred positions, in Å.
        target: Centred positions in the same node order, in Å.
    Returns:
        R with determinant +1 that minimises |source @ R.T - target|.
    Raises:
        DegenerateFrameError: If the positions are collinear, so that R is not unique.

    Example:
        >>> x = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [-1.0, -2.0, 0.0]])
        >>> quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> torch.allclose(align_rotation(x, x @ quarter.T), quarter, atol=1e-6)
        True
    """
    left, values, right = torch.linalg.svd(source.mT @ target)
    if bool((values[..., 1] <= 10 * torch.finfo(values.dtype).eps * values[..., 0]).any()):
        raise DegenerateFrameError(
            "the best rotation needs positions that span a plane, but source or target is collinear; "
            "compare such molecules by their distances"
        )
    # A reflection that would fit better is turned into a rotation at the least cost: along the last axis.
    sign = torch.ones_like(values)
    sign[..., 2] = torch.linalg.det(left @ right).sign()
    return right.mT @ (sign.unsqueeze(-1) * left.mT)


def _plane(
    vectors: Float[Tensor, "b 2 3"],
) -> tuple[Float[Tensor, "b 3"], Bool[Tensor, "b 1"], Float[Tensor, " b"]]:
    """Finds the plane of two vectors.

    Returns:
        Unit normals, for collinear vectors one unit vector across them; whether they are collinear; and the
        ratio of their singular values.
    """
    tolerance = torch.finfo(vectors.dtype).eps ** 0.5
    # Of length near 1: the cross product of short vectors would count as zero where they are not collinear.
    longest = vectors.detach().norm(dim=2).amax(dim=1)[:, None, None]
    v1, v2 = (vectors / longest.masked_fill(longest <= tolerance, 1.0)).unbind(dim=1)
    cross = torch.linalg.cross(v1, v2)
    degeneracy = _singular_ratio(torch.stack([v1, v2], dim=1).detach(), cross.detach(), tolerance)
    collinear = (degeneracy <= tolerance).unsqueeze(1)
    normal = torch.where(collinear, _across(_common_direction(vectors)), cross)
    return safe_normalise(normal), collinear, degeneracy.masked_fill(collinear.squeeze(1), 0.0)


def _singular_ratio(vectors: Tensor, cross: Tensor, tolerance: float) -> Float[Tensor, " b"]:
    """Divides the smaller singular value by the larger one, from their product and the sum of squares."""
    product = cross.norm(dim=1)
    squares = vectors.square().sum(dim=(1, 2))
    larger = ((squares + 2 * product).sqrt() + (squares - 2 * product).clamp(min=0).sqrt()) / 2
    zero = larger <= tolerance
    return (product / larger.masked_fill(zero, 1.0).square()).masked_fill(zero, 0.0).clamp(max=1.0)


def _common_direction(vectors: Float[Tensor, "b 2 3"]) -> Float[Tensor, "b 3"]:
    """Takes the longer of two vectors, or the first unit vector where both count as zero."""
    tolerance = torch.finfo(vectors.dtype).eps ** 0.5
    lengths = vectors.detach().norm(dim=2)
    longer = torch.where((lengths[:, 1] > lengths[:, 0]).unsqueeze(1), vectors[:, 1], vectors[:, 0])
    unit = torch.eye(3, dtype=vectors.dtype, device=vectors.device)[0]
    return torch.where((lengths.amax(dim=1) <= tolerance).unsqueeze(1), unit, longer)


def _across(direction: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
    """Completes a direction e by the part across it of a coordinate axis not the nearest; the same for -e."""
    unit = safe_normalise(direction)
    units = torch.eye(3, dtype=unit.dtype, device=unit.device)
    axis = units[(unit.detach().abs().argmax(dim=1) + 2) % 3]
    return axis - (axis * unit).sum(dim=1, keepdim=True) * unit


def _frame(leading: Float[Tensor, "b 3"], normal: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """Puts the axes a1 along `leading`, a3 along the unit `normal`, and a2 = a3 × a1 into columns."""
    # The normal of nearly collinear vectors carries rounding errors: a1 is made exactly orthogonal to it.
    along = (leading * normal).sum(dim=1, keepdim=True) * normal
    first = safe_normalise(leading - along)
    return torch.stack([first, torch.linalg.cross(normal, first), normal], dim=2)
