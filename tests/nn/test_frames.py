from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from molae.errors import ConfigError
from molae.groups import (
    DirectProduct,
    Euclidean,
    Orthogonal,
    SpecialEuclidean,
    SpecialOrthogonal,
    SymmetricGroup,
    Translations,
)
from molae.nn.frames import FrameAverage, find_frames
from molae.testing import (
    asymmetric_graphs,
    degenerate_graphs,
    equivariance_gap,
    mirror_image,
    symmetric_graphs,
)

GROUPS = {
    "O(3)": Orthogonal(3),
    "SO(3)": SpecialOrthogonal(3),
    "E(3)": Euclidean(3),
    "SE(3)": SpecialEuclidean(3),
}
every_group = pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
SYMMETRIC = {**symmetric_graphs(), **degenerate_graphs()}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


class Plain(nn.Module):
    """A network that knows nothing of rotations, nor of the centre."""

    def __init__(self, nodes, *shape, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        size = int(torch.tensor(shape).prod())
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * nodes, 32), nn.Tanh(), nn.Linear(32, size))
        self.shape = shape
        self.to(dtype)

    def forward(self, x, *others):
        return self.layers(x).unflatten(1, self.shape)


def gap(model, group, x, act=None):
    return equivariance_gap(lambda x: model(x).output, group, x, act, generator=generator(1))


@every_group
@given(seed=st.integers(0, 2**31))
def test_any_network_becomes_invariant(group, seed):
    x = points(8, 6, 3, seed=seed)
    assert gap(FrameAverage(Plain(6, 4), group), group, x).max() < 1e-9


@every_group
@pytest.mark.parametrize("shape", [(3,), (2, 3), (6, 3)])
def test_any_network_becomes_equivariant(group, shape):
    x, rotations = points(8, 6, 3), group.rotations if isinstance(group, Euclidean) else group
    vectors = FrameAverage(Plain(6, *shape), group, output="vectors")

    def turn(g, y):
        matrix = g.rotation if isinstance(group, Euclidean) else g
        return rotations.act(matrix, y.reshape(len(y), -1, 3)).reshape(y.shape)

    def move(g, y):
        return group.act(g, y.reshape(len(y), -1, 3)).reshape(y.shape)

    assert gap(vectors, group, x, turn).max() < 1e-9
    assert gap(FrameAverage(Plain(6, *shape), group, output="positions"), group, x, move).max() < 1e-9


@every_group
def test_without_frames_the_same_network_is_far_from_invariant(group):
    assert equivariance_gap(Plain(6, 4), group, points(8, 6, 3), generator=generator()).min() > 0.1


@every_group
@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_clouds_fall_back_to_frames_of_pairs(group, name):
    x = torch.from_numpy(SYMMETRIC[name].pos).double().unsqueeze(0).repeat(2, 1, 1)
    x[1] = points(*x[1].shape)  # so that outputs differ between the rows
    network = Plain(x.shape[1], 4)
    moved = group.act(group.sample(2, generator=generator(), dtype=torch.float64), x)
    model = FrameAverage(network, group)
    torch.testing.assert_close(model(moved).output, model(x).output, atol=1e-7, rtol=0)
    torch.testing.assert_close(model(moved).gap, model(x).gap, atol=1e-9, rtol=0)


@every_group
def test_invariance_holds_in_single_precision(group):
    x = points(32, 6, 3, dtype=torch.float32)
    moved = group.act(group.sample(32, generator=generator()), x)
    model = FrameAverage(Plain(6, 4, dtype=torch.float32), group)
    torch.testing.assert_close(model(moved).output, model(x).output, atol=1e-4, rtol=0)


def test_principal_axes_alone_would_not_do_for_symmetric_clouds():
    x = torch.from_numpy(SYMMETRIC["methane"].pos).double().unsqueeze(0)
    group = SpecialEuclidean(3)
    moved = group.act(group.sample(1, generator=generator(), dtype=torch.float64), x)
    careless = FrameAverage(Plain(5, 4), group, threshold=-1.0)
    assert (careless(moved).output - careless(x).output).abs().max() > 1e-3


def test_mirror_images_differ_for_proper_frames_only():
    graph = asymmetric_graphs()["alanine"]
    x = torch.from_numpy(graph.pos).double().unsqueeze(0)
    mirrored = torch.from_numpy(mirror_image(graph).pos).double().unsqueeze(0)
    network = Plain(len(graph), 4)
    for group, blind in ((Euclidean(3), True), (SpecialEuclidean(3), False)):
        model = FrameAverage(network, group)
        assert torch.allclose(model(x).output, model(mirrored).output, atol=1e-9) is blind


def test_a_network_on_a_set_becomes_invariant_to_motions_and_renumbering():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 4)).double()

        def forward(self, x):
            return self.layers(x).sum(1)

    group = DirectProduct(SpecialEuclidean(3), SymmetricGroup(6))
    assert gap(FrameAverage(Pooled(), SpecialEuclidean(3)), group, points(8, 6, 3)).max() < 1e-9


def test_padding_makes_no_difference():
    class Masked(nn.Module):
        def forward(self, x, charge, mask):
            return (torch.tanh(x @ points(3, 4)) * charge.unsqueeze(2) * mask.unsqueeze(2)).sum(1)

    x, charge = points(3, 6, 3), points(3, 6)
    mask = torch.arange(6) < torch.tensor([[6], [4], [1]])
    model = FrameAverage(Masked(), Euclidean(3))
    together = model(x, charge, mask=mask)
    for row, size in enumerate((6, 4, 1)):
        alone = model(x[row : row + 1, :size], charge[row : row + 1, :size], mask=mask[row : row + 1, :size])
        torch.testing.assert_close(together.output[row], alone.output[0], atol=1e-12, rtol=0)
        torch.testing.assert_close(together.gap[row], alone.gap[0], atol=1e-12, rtol=0)


def test_weights_of_each_cloud_add_up_to_one_and_frames_are_in_the_group():
    clouds = [torch.from_numpy(graph.pos).double() for graph in SYMMETRIC.values()]
    most = max(map(len, clouds))
    x = torch.stack([nn.functional.pad(c - c.mean(0), (0, 0, 0, most - len(c))) for c in clouds])
    x = torch.cat([x, points(4, most, 3)])
    for proper, group in ((True, SpecialOrthogonal(3)), (False, Orthogonal(3))):
        frames = find_frames(x, proper)
        total = torch.zeros(len(x), dtype=x.dtype).index_add(0, frames.cloud, frames.weight)
        torch.testing.assert_close(total, torch.ones_like(total))
        assert group.contains(frames.rotation, tolerance=1e-9).all()
        assert (frames.gap[-4:] > 1e-2).all()
        assert frames.cloud.bincount()[-4:].tolist() == [4 if proper else 8] * 4


def test_the_gap_tells_how_far_the_axes_are_determined():
    spread = torch.tensor([[3.0, 2.0, 1.0], [2.0, 2.0, 1.0], [3.0, 1.0, 0.0]]).unsqueeze(1)
    x = torch.cat([torch.eye(3) * spread, -torch.eye(3) * spread], 1)
    assert find_frames(x, proper=True).gap.tolist() == pytest.approx([3 / 9, 0.0, 1 / 9])


def test_gradients_are_exact_and_finite_everywhere():
    model = FrameAverage(Plain(4, 3), SpecialEuclidean(3))
    assert torch.autograd.gradcheck(lambda x: model(x).output, points(2, 4, 3).requires_grad_())
    methane = torch.from_numpy(SYMMETRIC["methane"].pos)[1:].double()
    line = torch.linspace(-1, 1, 4, dtype=torch.float64).unsqueeze(1) * torch.ones(3, dtype=torch.float64)
    x = torch.stack([methane, line, torch.zeros_like(line)]).requires_grad_()
    model(x).output.sum().backward()
    assert x.grad.isfinite().all()


def test_an_empty_batch_stays_empty():
    assert FrameAverage(Plain(4, 3), Euclidean(3))(points(0, 4, 3)).output.shape == (0, 3)


def test_groups_and_outputs_without_frames_are_refused():
    for group in (Translations(3), SymmetricGroup(4), Orthogonal(2)):
        with pytest.raises(ConfigError, match="frames are those"):
            FrameAverage(Plain(4, 3), group)
    with pytest.raises(ConfigError, match="'invariant', 'vectors'"):
        FrameAverage(Plain(4, 3), Orthogonal(3), output="scalars")
