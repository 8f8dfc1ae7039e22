from __future__ import annotations

import pytest
import torch
from e3nn.o3 import Irreps

from molae.groups import Euclidean
from molae.nn.egnn import RADIAL, EquivariantLayer, radial_basis
from molae.testing import all_graphs, dense, with_generic_weights

WIDTH, VECTORS = 8, 3


def layer():
    torch.manual_seed(0)
    return with_generic_weights(EquivariantLayer(WIDTH, VECTORS, 5)).double()


def inputs():
    generator = torch.Generator().manual_seed(0)
    batch = dense([all_graphs()[name] for name in ("alanine", "benzene", "single carbon")])
    b, m = batch.mask.shape
    scalars = torch.randn(b, m, WIDTH, generator=generator, dtype=torch.float64)
    vectors = torch.randn(b, m, VECTORS, 3, generator=generator, dtype=torch.float64)
    return batch, scalars, vectors


def test_scalars_stay_and_vectors_turn_under_rotations_reflections_and_translations():
    module, (batch, scalars, vectors) = layer(), inputs()
    group = Euclidean(3)
    h = group.sample(len(batch), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert (torch.linalg.det(h.rotation) < 0).any()
    turned = vectors @ h.rotation.mT.unsqueeze(1)
    out, out_vectors = module(scalars, vectors, batch.pos, batch.edges, batch.mask)
    moved, moved_vectors = module(scalars, turned, group.act(h, batch.pos), batch.edges, batch.mask)
    torch.testing.assert_close(moved, out, atol=1e-12, rtol=0)
    torch.testing.assert_close(moved_vectors, out_vectors @ h.rotation.mT.unsqueeze(1), atol=1e-12, rtol=0)


def test_nodes_do_not_hear_padding():
    module, (batch, scalars, vectors) = layer(), inputs()
    first = module(scalars, vectors, batch.pos, batch.edges, batch.mask)
    padding = ~batch.mask.unsqueeze(2)
    second = module(scalars + 5 * padding, vectors, batch.pos + 3 * padding, batch.edges, batch.mask)
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a[batch.mask], b[batch.mask])


def test_irreps_name_what_the_layer_gives():
    assert layer().irreps == Irreps("8x0e + 3x1o")


def test_vectors_do_not_explode_with_depth():
    """Twenty layers with large weights move a vector by less than 20 Å, as each moves it by 1 at most."""
    module, (batch, scalars, vectors) = layer(), inputs()
    with torch.no_grad():
        module.weigh.weight.mul_(100)
        out = torch.zeros_like(vectors)
        for _ in range(20):
            _, out = module(scalars, out, batch.pos, batch.edges, batch.mask)
    assert out.norm(dim=-1).max() <= 20


@pytest.mark.parametrize("distance", [0.0, 1.0, 5.5, 40.0])
def test_radial_basis_peaks_at_its_distance_and_is_kept_beyond_the_last(distance):
    basis = radial_basis(torch.tensor([[distance]], dtype=torch.float64))
    assert basis.shape == (1, RADIAL)
    assert basis.argmax().item() == min(round(2 * distance), RADIAL - 1)
    assert basis.max().item() == pytest.approx(1.0)
