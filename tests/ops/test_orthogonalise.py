from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from molae.errors import DegenerateFrameError
from molae.groups import Orthogonal, SpecialOrthogonal
from molae.ops import align_rotation, gram_schmidt_frame, lowdin_frame

every_frame = pytest.mark.parametrize("frame", [lowdin_frame, gram_schmidt_frame])
seeds = st.integers(0, 2**31)

# Pairs of vectors that span no plane, and ones that nearly do not.
E = [0.36, 0.48, 0.8]
DEGENERATE = {
    "zero": [[0.0] * 3, [0.0] * 3],
    "first zero": [[0.0] * 3, E],
    "second zero": [E, [0.0] * 3],
    "parallel": [E, [2 * c for c in E]],
    "antiparallel": [[-2 * c for c in E], E],
    "equal": [[1.0, 1.0, 1.0]] * 2,
    "along an axis": [[0.0, 0.0, 1.0], [0.0, 0.0, -3.0]],
    "rounding noise": [[1e-17, 0.0, 0.0], [0.0, 2e-17, 0.0]],
}
every_degenerate = pytest.mark.parametrize("vectors", DEGENERATE.values(), ids=DEGENERATE.keys())


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


@every_frame
@given(seed=seeds)
def test_frame_turns_with_the_vectors(frame, seed):
    v = normal(8, 2, 3, seed=seed)
    q = SpecialOrthogonal(3).sample(8, generator=generator(seed), dtype=torch.float64)
    rotation, degeneracy = frame(v)
    turned, turned_degeneracy = frame(v @ q.mT)
    well_posed = degeneracy > 1e-2
    torch.testing.assert_close(turned[well_posed], (q @ rotation)[well_posed], atol=1e-12, rtol=0)
    torch.testing.assert_close(turned_degeneracy, degeneracy, atol=1e-12, rtol=0)
    assert SpecialOrthogonal(3).contains(rotation, tolerance=1e-12).all()


@every_frame
@given(seed=seeds)
def test_point_reflection_keeps_only_the_third_axis(frame, seed):
    v = normal(8, 2, 3, seed=seed)
    flip = torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(frame(-v)[0], frame(v)[0] * flip, atol=1e-14, rtol=0)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-7, 1e-9, 1e-13])
@every_frame
def test_nearly_collinear_vectors_still_give_a_rotation(frame, gap):
    v = normal(100, 1, 3) * torch.tensor([[1.0], [0.7]], dtype=torch.float64) + gap * normal(
        100, 2, 3, seed=1
    )
    rotation, _ = frame(v)
    assert SpecialOrthogonal(3).contains(rotation, tolerance=1e-14).all()


def test_lowdin_axes_are_the_nearest_orthonormal_pair():
    v = normal(20, 2, 3)
    left, values, right = torch.linalg.svd(v, full_matrices=False)
    rotation, degeneracy = lowdin_frame(v)
    torch.testing.assert_close(rotation[:, :, :2].mT, left @ right, atol=1e-12, rtol=0)
    torch.testing.assert_close(degeneracy, values[:, 1] / values[:, 0], atol=1e-12, rtol=0)


def test_gram_schmidt_keeps_the_first_direction():
    v = normal(20, 2, 3)
    rotation, _ = gram_schmidt_frame(v)
    torch.testing.assert_close(rotation[:, :, 0], v[:, 0] / v[:, 0].norm(dim=1, keepdim=True))
    assert ((rotation[:, :, 1] * v[:, 1]).sum(dim=1) > 0).all()
    torch.testing.assert_close((rotation[:, :, 2] * v[:, 1]).sum(dim=1), torch.zeros(20, dtype=torch.float64))


@every_frame
@every_degenerate
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_vectors_give_a_rotation_with_finite_gradients(frame, vectors, dtype):
    v = torch.tensor([vectors], dtype=dtype, requires_grad=True)
    rotation, degeneracy = frame(v)
    assert degeneracy.item() == 0
    assert SpecialOrthogonal(3).contains(rotation, tolerance=1e-6).all()
    (rotation * normal(1, 3, 3).to(dtype)).sum().backward()
    assert v.grad.isfinite().all()
    # Gradients of the size of the inverse tolerance would spoil a training step as surely as NaN.
    assert v.grad.abs().max() < 100


collinear = pytest.mark.parametrize(
    "name", ["first zero", "second zero", "parallel", "antiparallel", "along an axis"]
)


@every_frame
@collinear
def test_frames_of_collinear_vectors_turn_with_them(frame, name):
    v = torch.tensor([DEGENERATE[name]], dtype=torch.float64)
    longer = v[0, v[0].norm(dim=1).argmax()]
    q = SpecialOrthogonal(3).sample(1, generator=generator(), dtype=torch.float64)
    rotation, _ = frame(v)
    # How they turn about their own direction is open; what lies along it must keep its coordinates.
    turned = (longer @ q[0].T) @ frame(v @ q.mT)[0][0]
    torch.testing.assert_close(turned, longer @ rotation[0], atol=1e-12, rtol=0)
    flip = torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(frame(-v)[0], rotation * flip, atol=1e-14, rtol=0)


@collinear
def test_gram_schmidt_puts_collinear_vectors_along_the_first_axis(name):
    v = torch.tensor([DEGENERATE[name]], dtype=torch.float64)
    longer = v[0, v[0].norm(dim=1).argmax()]
    rotation, _ = gram_schmidt_frame(v)
    torch.testing.assert_close(rotation[0, :, 0], longer / longer.norm(), atol=1e-12, rtol=0)


@collinear
def test_bending_collinear_vectors_a_little_changes_their_coordinates_a_little(name):
    """A linear molecule that vibrates must not jump in its own frame."""
    v = torch.tensor([DEGENERATE[name]], dtype=torch.float64)
    longest = v.norm(dim=2).argmax()
    straight = v[0, longest] @ lowdin_frame(v)[0][0]
    bent = v + 1e-4 * v.norm(dim=2).max() * normal(1, 2, 3)
    other = bent[0, longest] @ lowdin_frame(bent)[0][0]
    assert (other - straight).norm() < 1e-2 * straight.norm()


@every_frame
def test_zero_vectors_give_the_identity(frame):
    rotation, _ = frame(torch.zeros(2, 2, 3))
    assert torch.equal(rotation, torch.eye(3).repeat(2, 1, 1))


@every_frame
def test_frame_gradient_is_exact(frame):
    v = normal(3, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: frame(v)[0], v)


@given(seed=seeds, nodes=st.integers(3, 12), noise=st.sampled_from([0.0, 0.3, 3.0]))
def test_kabsch_agrees_with_scipy(seed, nodes, noise):
    source = normal(nodes, 3, seed=seed)
    source = source - source.mean(dim=0)
    turn = Orthogonal(3).sample(1, generator=generator(seed), dtype=torch.float64)[0]
    target = source @ turn.T + noise * normal(nodes, 3, seed=seed + 1)
    target = target - target.mean(dim=0)
    rotation = align_rotation(source, target)
    expected, _ = Rotation.align_vectors(target.numpy(), source.numpy())
    error = (source @ rotation.T - target).square().sum()
    least = (torch.from_numpy(expected.apply(source.numpy())) - target).square().sum()
    torch.testing.assert_close(error, least, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(torch.linalg.det(rotation).item(), 1.0, atol=1e-12, rtol=0)


def test_kabsch_finds_the_rotation_applied_to_each_of_many():
    source = normal(5, 7, 3)
    source = source - source.mean(dim=1, keepdim=True)
    turn = SpecialOrthogonal(3).sample(5, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(align_rotation(source, source @ turn.mT), turn, atol=1e-12, rtol=0)


def test_kabsch_of_planar_positions_is_still_a_rotation():
    source = normal(6, 3) * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    source = source - source.mean(dim=0)
    turn = SpecialOrthogonal(3).sample(1, generator=generator(), dtype=torch.float64)[0]
    torch.testing.assert_close(align_rotation(source, source @ turn.T), turn, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kabsch_refuses_collinear_positions(dtype):
    line = torch.linspace(-1, 1, 5, dtype=dtype).unsqueeze(1) * torch.tensor(E, dtype=dtype)
    with pytest.raises(DegenerateFrameError, match="collinear"):
        align_rotation(line, line)
    with pytest.raises(DegenerateFrameError, match="collinear"):
        align_rotation(torch.zeros(1, 3, dtype=dtype), torch.zeros(1, 3, dtype=dtype))
