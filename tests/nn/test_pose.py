from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from molae.groups import SpecialOrthogonal
from molae.nn.pose import PooledPose, SlotPose, slot_modes
from molae.nn.trunk import EquivariantTrunk
from molae.testing import SCHEMA, all_graphs, dense, shapes, with_generic_weights

WIDTH = 8


def trunk(layers=1):
    torch.manual_seed(0)
    return with_generic_weights(EquivariantTrunk(SCHEMA, WIDTH, 3, layers, ties=False)).double()


def pose(kind, frame, vectors):
    torch.manual_seed(0)
    made = SlotPose(vectors, frame) if kind == "slots" else PooledPose(WIDTH, vectors, frame)
    return with_generic_weights(made, scale=1.0).double()


def find(kind, module, features, batch):
    return module(features, batch.slot, batch.sizes) if kind == "slots" else module(features, batch.sizes)


@pytest.mark.parametrize("frame", ["lowdin", "gram_schmidt"])
@pytest.mark.parametrize("kind", ["slots", "pooled"])
def test_frame_turns_with_the_vectors(kind, frame):
    batch = dense([all_graphs()[name] for name in ("alanine", "aspirin", "caffeine")])
    features = trunk()(batch)
    module = pose(kind, frame, features.vectors.shape[2])
    rotation, degeneracy = find(kind, module, features, batch)
    assert (degeneracy > 1e-3).all()
    q = SpecialOrthogonal(3).sample(3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    turned = features._replace(vectors=features.vectors @ q.mT.unsqueeze(1))
    torch.testing.assert_close(find(kind, module, turned, batch)[0], q @ rotation, atol=1e-11, rtol=0)


def test_pooled_frame_admits_that_it_cannot_tell_the_hydrogens_of_methane_apart():
    batch = dense([shapes.methane()])
    features = trunk()(batch)
    _, degeneracy = find("pooled", pose("pooled", "lowdin", 4), features, batch)
    assert degeneracy.item() < 1e-9


def test_slot_frame_is_determined_on_every_shape_that_spans_a_plane():
    names = [
        name
        for name, graph in all_graphs().items()
        if torch.linalg.matrix_rank(torch.from_numpy(graph.pos - graph.pos.mean(0)), rtol=1e-6) > 1
    ]
    batch = dense([all_graphs()[name] for name in names])
    _, degeneracy = find("slots", pose("slots", "lowdin", 1), trunk(layers=0)(batch), batch)
    assert dict(zip(names, degeneracy.tolist(), strict=True))
    assert (degeneracy > 1e-3).all()


def test_slot_modes_do_not_vanish_on_a_chain_with_an_inversion_centre():
    """Anti-butane: a planar zigzag whose second mode, of cos 2φ alone, would be zero."""
    zigzag = torch.tensor([[[-1.5, -0.5, 0.0], [-0.5, 0.4, 0.0], [0.5, -0.4, 0.0], [1.5, 0.5, 0.0]]]).double()
    modes = slot_modes(torch.arange(4).unsqueeze(0), torch.tensor([4]), torch.float64)
    pooled = modes.mT @ zigzag
    assert torch.linalg.matrix_rank(pooled).item() == 2


def test_slot_modes_of_a_soft_permutation_are_the_expected_ones():
    slot, sizes = torch.tensor([[2, 0, 1]]), torch.tensor([3])
    soft = torch.nn.functional.one_hot(slot).double()
    torch.testing.assert_close(slot_modes(soft, sizes, torch.float64), slot_modes(slot, sizes, torch.float64))


def test_trunk_centres_the_positions_and_keeps_padding_at_zero():
    batch = dense([all_graphs()["alanine"], all_graphs()["aspirin"]])
    features = trunk(layers=2)(batch)
    positions = features.vectors[:, :, 0]
    torch.testing.assert_close(positions.sum(1), torch.zeros(2, 3, dtype=torch.float64), atol=1e-12, rtol=0)
    assert (features.vectors[~batch.mask] == 0).all()
    torch.testing.assert_close((positions + features.centre.unsqueeze(1))[batch.mask], batch.pos[batch.mask])


def test_trunk_needs_positions():
    batch = replace(dense([all_graphs()["alanine"]]), pos=None)
    with pytest.raises(ValueError, match="needs graphs with positions"):
        trunk()(batch)
