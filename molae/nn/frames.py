"""Frame averaging: any network on points made exactly invariant or equivariant (Puny et al. 2022,
arXiv:2110.03336).

For a cloud x and a finite set F(x) of its own frames with weights w that add up to 1, for which
F(g·x) = g F(x), the average

    sum over f in F(x) of  w_f  f · network(f⁻¹ · x)

is equivariant for any network, and invariant without the `f ·` before it. Over the frames of O(3) it is blind
to mirror images; over those of SO(3) it is not.
"""

from __future__ import annotations

from itertools import product
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from molae.errors import ConfigError
from molae.groups import Euclidean, Orthogonal, SpecialEuclidean, SpecialOrthogonal
from molae.ops import full_precision, gram_schmidt_frame

#: Pairs of points span a frame if the square of their area is above this share of the largest one.
NEAR_LARGEST = 0.9


class Frames(NamedTuple):
    """Frames of the clouds of a batch, as many for each as it needs.

    Attributes:
        cloud: Which cloud each frame belongs to.
        rotation: Orthogonal matrices with the axes as columns, so that `x @ R` are coordinates in the frame.
        weight: Weights, which add up to 1 over the frames of a cloud.
        gap: How well principal axes are determined, for each cloud: the smallest difference between
            neighbouring eigenvalues of the covariance over the largest eigenvalue, from 0 to 1.
    """

    cloud: Int[Tensor, " f"]
    rotation: Float[Tensor, "f 3 3"]
    weight: Float[Tensor, " f"]
    gap: Float[Tensor, " b"]


@full_precision
def find_frames(x: Float[Tensor, "b m 3"], proper: bool, threshold: float = 1e-2) -> Frames:
    """Finds frames of clouds about the origin that turn with them.

    They are the principal axes in all their signs, 4 for rotations and 8 with reflections. Where the gap is
    below the threshold, as for methane or benzene, the principal axes are not determined; there the frames
    are those that pairs of points span by Gram-Schmidt, x_i first, x_j second, for all ordered pairs whose
    area |x_i × x_j| is near the largest one. Their weights go to 0 as the pair leaves that range, so that
    rounding decides nothing. Clouds on one line through the origin have frames with the first axis towards
    their farthest points: how these are completed makes no difference to the points.

    Args:
        x: Points, 0 at padding.
        proper: Whether to leave out reflections.
        threshold: Smallest gap for which principal axes are taken.
    Returns:
        The frames. They jump where the gap crosses the threshold; elsewhere their gradient is finite.

    Example:
        >>> find_frames(torch.tensor([[[1.0, 0.0, 0.0], [0.0, 3.0, 0.0]]]), proper=True).rotation.shape
        torch.Size([4, 3, 3])
    """
    values = torch.linalg.eigvalsh(x.detach().mT @ x.detach())
    largest = values[:, 2].clamp(min=torch.finfo(x.dtype).tiny)
    gap = (values.diff(dim=1).amin(1) / largest).clamp(0.0, 1.0)
    determined = gap > threshold
    # Each for its own clouds: the gradient of the axes is infinite where they are not determined.
    principal, spanned = _principal(x, determined, proper), _spanned(x, ~determined, proper)
    cloud, rotation, weight = (torch.cat(part) for part in zip(principal, spanned, strict=True))
    return Frames(cloud, rotation, weight, gap)


class Averaged(NamedTuple):
    """What a frame-averaged network gives.

    Attributes:
        output: Average over the frames, a row for each cloud.
        gap: How well the principal axes are determined, see `Frames`.
    """

    output: Tensor
    gap: Float[Tensor, " b"]


class FrameAverage(nn.Module):
    """Makes any network on clouds of points exactly invariant, or equivariant, by averaging over frames.

    The network is called once, on a batch with a row for each frame of each cloud: 4 or 8 times as many as
    clouds, and more for symmetric ones. Translations are divided out by the centroid; without them, in
    O(3) and SO(3), the origin is part of the data.

    Args:
        network: Takes points (f m 3) and whatever else is given, and returns a tensor (f ...).
        group: `Orthogonal`, `SpecialOrthogonal`, `Euclidean` or `SpecialEuclidean`, of dimension 3.
        output: `invariant`; or how the last axis of the output moves: `vectors` turn, `positions` are also
            translated.
        threshold: Smallest gap for which principal axes are taken, see `find_frames`.

    Raises:
        ConfigError: If there are no frames for the group, or the output is not one of these.

    Example:
        >>> group = SpecialEuclidean(3)
        >>> model = FrameAverage(nn.Sequential(nn.Flatten(), nn.Linear(15, 2)), group)
        >>> x = torch.randn(4, 5, 3)
        >>> moved = group.act(group.sample(4), x)
        >>> torch.allclose(model(x).output, model(moved).output, atol=1e-3)
        True
    """

    def __init__(
        self,
        network: nn.Module,
        group: Orthogonal | Euclidean,
        output: Literal["invariant", "vectors", "positions"] = "invariant",
        threshold: float = 1e-2,
    ) -> None:
        super().__init__()
        if not isinstance(group, Orthogonal | Euclidean) or group.dimension != 3:
            raise ConfigError(f"frames are those of O(3), SO(3), E(3) or SE(3), not of {group}")
        if output not in ("invariant", "vectors", "positions"):
            raise ConfigError(f"output must be 'invariant', 'vectors' or 'positions', got {output!r}")
        self.network = network
        self.proper = isinstance(group, SpecialOrthogonal | SpecialEuclidean)
        self.centred = isinstance(group, Euclidean)
        self.output = output
        self.threshold = threshold

    def forward(
        self, x: Float[Tensor, "b m 3"], *inputs: Tensor, mask: Bool[Tensor, "b m"] | None = None
    ) -> Averaged:
        """Averages the network over the frames of each cloud.

        Args:
            x: Points.
            *inputs: What else the network takes, invariant, with one row for each cloud.
            mask: True at real points; if given, the network takes it too, last.
        Returns:
            The average, and the gap of each cloud.
        """
        centre, frames, points = self._canonicalise(x, mask)
        rows = [each[frames.cloud] for each in (inputs if mask is None else (*inputs, mask))]
        values = self.network(points, *rows)
        if self.output != "invariant":
            values = torch.einsum("fij,f...j->f...i", frames.rotation, values.to(x.dtype))
        weight = frames.weight.to(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
        total = values.new_zeros(len(x), *values.shape[1:]).index_add(0, frames.cloud, weight * values)
        if self.output == "positions":
            total = total + centre.reshape(len(x), *[1] * (total.ndim - 2), 3)
        return Averaged(total, frames.gap)

    @full_precision
    def _canonicalise(
        self, x: Float[Tensor, "b m 3"], mask: Bool[Tensor, "b m"] | None
    ) -> tuple[Float[Tensor, "b 3"], Frames, Float[Tensor, "f m 3"]]:
        """What is taken for the origin, the frames, and the points in each of them, 0 at padding."""
        inside = torch.ones_like(x[:, :, :1]) if mask is None else mask.unsqueeze(2).to(x.dtype)
        centre = x.new_zeros(len(x), 3)
        if self.centred:
            centre = (x * inside).sum(1) / inside.sum(1).clamp(min=1)
        centred = (x - centre.unsqueeze(1)) * inside
        frames = find_frames(centred, self.proper, self.threshold)
        return centre, frames, centred[frames.cloud] @ frames.rotation


def _principal(
    x: Float[Tensor, "b m 3"], chosen: Bool[Tensor, " b"], proper: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Cloud, rotation and weight of the frames of the chosen clouds along their principal axes."""
    axes = torch.linalg.eigh(x[chosen].mT @ x[chosen]).eigenvectors.flip(2)
    signs = axes.new_tensor(list(product((1.0, -1.0), repeat=3)))
    frames = axes.unsqueeze(1) * signs.unsqueeze(1)
    if proper:
        # Half of the signs, in the same number for either hand of the axes.
        right = torch.linalg.det(frames.detach()) > 0
        frames = frames[right].reshape(len(axes), 4, 3, 3)
    count = frames.shape[1]
    cloud = chosen.nonzero().squeeze(1).repeat_interleave(count)
    return cloud, frames.flatten(0, 1), torch.full_like(cloud, 1 / count, dtype=x.dtype)


def _spanned(
    x: Float[Tensor, "b m 3"], chosen: Bool[Tensor, " b"], proper: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Cloud, rotation and weight of the frames of the chosen clouds that pairs of their points span."""
    points = x[chosen]
    square = points.square().sum(2)
    area = torch.linalg.cross(points.unsqueeze(2), points.unsqueeze(1)).square().sum(3)
    largest = area.amax((1, 2), keepdim=True)
    line = largest <= torch.finfo(x.dtype).eps * square.amax(1)[:, None, None].square()
    # Ends of a line weigh as pairs of a point with itself.
    measure = torch.where(line, torch.diag_embed(square), area)
    most = measure.amax((1, 2), keepdim=True)
    weight = (measure / most.clamp(min=torch.finfo(x.dtype).tiny) - NEAR_LARGEST).clamp(min=0)
    # Where all is at the origin, one frame is as good as any.
    weight[:, 0, 0] += (most == 0)[:, 0, 0]
    weight = weight / weight.sum((1, 2), keepdim=True)
    row, first, second = weight.detach().nonzero(as_tuple=True)
    rotation, _ = gram_schmidt_frame(torch.stack([points[row, first], points[row, second]], 1))
    cloud, weights = chosen.nonzero().squeeze(1)[row], weight[row, first, second]
    if proper:
        return cloud, rotation, weights
    mirrored = torch.cat([rotation[:, :, :2], -rotation[:, :, 2:]], 2)
    return cloud.repeat(2), torch.cat([rotation, mirrored]), weights.repeat(2) / 2
