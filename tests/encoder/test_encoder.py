"""What the contract suite does not cover: sizes, training, and configurations that are refused."""

from __future__ import annotations

import pytest
import torch

from molae.align import ALIGNERS
from molae.encoder import ENCODERS
from molae.errors import ConfigError
from molae.testing import (
    ISOMER_SCHEMA,
    SCHEMA,
    all_graphs,
    chiral_pairs,
    dense,
    isomers,
    shapes,
    with_generic_weights,
)

every_encoder = pytest.mark.parametrize("name", list(ENCODERS))


def build(name, aligner="canonical", code=24, **settings):
    torch.manual_seed(0)
    small = {"name": name, "width": 16, "head_width": 32, **settings}
    made = ENCODERS.build(small, SCHEMA, ALIGNERS.build({"name": aligner}, SCHEMA, 16), code)
    return with_generic_weights(made).double().eval()


def batch_of(*names):
    return dense([all_graphs()[name] for name in names])


@every_encoder
@pytest.mark.parametrize(("share", "odd"), [(0.25, 6), (0.0, 0), (1.0, 24)])
def test_the_code_is_shared_out_to_both_parities(name, share, odd):
    encoder = build(name, odd_share=share)
    assert (encoder.even_size, encoder.odd_size) == (24 - odd, odd)
    assert encoder(batch_of("alanine", "benzene")).invariant.shape == (2, 24)


@every_encoder
def test_enantiomers_share_the_even_part_and_differ_in_the_odd_one(name):
    encoder = build(name)
    left, right = chiral_pairs()["alanine"]
    codes = encoder(dense([left, right])).invariant
    even, odd = codes.split([encoder.even_size, encoder.odd_size], dim=1)
    torch.testing.assert_close(even[0], even[1], atol=1e-10, rtol=0)
    torch.testing.assert_close(odd[0], -odd[1], atol=1e-10, rtol=0)
    assert odd[0].abs().max() > 1e-5


def test_molecules_that_are_their_own_mirror_image_have_no_odd_part():
    """Benzene and methane, for an encoder whose frame is determined on them."""
    encoder = build("slots")
    codes = encoder(dense([shapes.benzene(), shapes.methane(), shapes.cyclooctatetraene()])).invariant
    assert codes[:, encoder.even_size :].abs().max() < 1e-10
    assert codes[:, : encoder.even_size].abs().max() > 1e-2


@every_encoder
def test_conformers_have_different_codes(name):
    graph = all_graphs()["alanine"]
    batch = dense([graph, graph])
    batch.pos[1, 0] += 0.5
    first, second = build(name)(batch).invariant
    assert (first - second).abs().max() > 1e-4


@every_encoder
def test_decalin_and_bicyclopentyl_have_different_codes(name):
    first, second = build(name)(batch_of("decalin", "bicyclopentyl")).invariant
    assert (first - second).abs().max() > 1e-3


@every_encoder
def test_the_action_moves_the_canonical_graph_onto_the_input(name):
    batch = batch_of("alanine", "aspirin")
    action = build(name)(batch).action
    there = action.positions(action.canonical_positions(batch.pos))
    torch.testing.assert_close(there[batch.mask], batch.pos[batch.mask], atol=1e-12, rtol=0)
    torch.testing.assert_close(
        action.translation, torch.stack([batch.pos[i, :n].mean(0) for i, n in enumerate(batch.sizes)])
    )


def test_the_degeneracy_tells_whether_a_frame_was_found():
    methane = dense([shapes.methane()])
    assert build("pooled")(methane).action.diagnostics["degeneracy"].item() < 1e-9
    assert build("slots")(methane).action.diagnostics["degeneracy"].item() > 1e-2


@pytest.mark.parametrize("aligner", ["sinkhorn", "softsort"])
def test_a_learned_permutation_is_taught_in_training_only(aligner):
    encoder, batch = build("slots", aligner, layers=1), batch_of("alanine", "benzene")
    still = encoder(batch)
    assert still.action.is_hard
    assert still.losses == {}
    moving = encoder.train()(batch)
    assert moving.losses["permutation"].shape == (2,)
    assert (moving.losses["permutation"] >= 0).all()


def test_an_unknown_frame_is_refused():
    with pytest.raises(ConfigError, match=r"\[encoder\.slots\] frame"):
        build("slots", frame="qr")


def test_an_encoder_of_slots_refuses_an_aligner_that_predicts_none():
    with pytest.raises(ConfigError, match="HungarianAligner does not know before anything is decoded"):
        build("slots", "hungarian")


def test_a_learned_aligner_needs_layers():
    with pytest.raises(ConfigError, match="set its `layers` to 1 or more"):
        build("slots", "sinkhorn")


def isomer_encoder(code=70, **settings):
    torch.manual_seed(0)
    small = {"name": "slots", "width": 16, "head_width": 32, **settings}
    aligner = ALIGNERS.build({"name": "canonical"}, ISOMER_SCHEMA, 16)
    return with_generic_weights(ENCODERS.build(small, ISOMER_SCHEMA, aligner, code)).double().eval()


def test_without_a_head_the_lanes_are_the_sum_that_tables_tell():
    encoder = isomer_encoder(head=False, summary={"size": 3})
    batch = dense(list(isomers().values()))
    linear = encoder.linear_lanes()
    order = batch.slot.argsort(1)
    ordered = batch.renumber(order)
    lanes = linear.of(ordered.nodes, ordered.edges, batch.sizes)
    code = encoder(batch).invariant
    torch.testing.assert_close(linear.lanes.split(code)[:, : lanes.shape[1]], lanes, atol=1e-9, rtol=0)
    assert not linear.lanes.split(code)[:, lanes.shape[1] :].any()


@pytest.mark.parametrize("more", [{"head": True}, {"attention_layers": 1}, {"layers": 1}, {"lanes": False}])
def test_what_is_no_such_sum_has_no_tables(more):
    assert isomer_encoder(**{"head": more.get("lanes") is False, **more}).linear_lanes() is None
    assert build("slots", code=200, head=False).linear_lanes() is None


def test_a_code_needs_a_head_or_room_for_lanes():
    with pytest.raises(ConfigError, match="neither a head nor lanes"):
        isomer_encoder(code=20, head=False)
