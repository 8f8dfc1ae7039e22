import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from molae.chem.rmsd import rmsd_as_posed, rmsd_superposed


def cloud(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(7, 3))


@given(st.integers(0, 2**31))
def test_a_rigid_motion_costs_nothing_after_superposition(seed: int) -> None:
    x = cloud(seed)
    rotation = Rotation.random(random_state=seed % 2**31).as_matrix()
    moved = x @ rotation.T + [1.0, -2.0, 3.0]
    identity = np.arange(7)[None]
    assert rmsd_superposed(moved, x, identity) < 1e-6
    assert rmsd_as_posed(moved, x, identity) > 0.1


def test_a_mirror_image_does_not_superpose() -> None:
    x = cloud(0)
    assert rmsd_superposed(x * [1, 1, -1], x, np.arange(7)[None]) > 0.1


def test_the_best_order_counts() -> None:
    x = cloud(1)
    swapped = x[[1, 0, 2, 3, 4, 5, 6]]
    orders = np.array([[0, 1, 2, 3, 4, 5, 6], [1, 0, 2, 3, 4, 5, 6]])
    assert rmsd_as_posed(swapped, x, orders) == 0
    assert rmsd_superposed(swapped, x, orders) < 1e-6
    assert rmsd_as_posed(swapped, x, orders[:1]) > 0.1


def test_units() -> None:
    x = cloud(2)
    assert rmsd_as_posed(x + np.array([0.3, 0, 0]), x, np.arange(7)[None]) == pytest.approx(0.3)
