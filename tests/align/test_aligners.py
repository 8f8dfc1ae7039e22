from __future__ import annotations

import pytest
import torch

from molae.align import ALIGNERS
from molae.groups import GroupAction
from molae.testing import SCHEMA, all_graphs, dense

WIDTH = 16
learned = pytest.mark.parametrize("name", ["sinkhorn", "softsort"])


def build(name, **settings):
    torch.manual_seed(0)
    return ALIGNERS.build({"name": name, **settings}, SCHEMA, WIDTH).double()


def batch_and_scalars():
    batch = dense([all_graphs()[name] for name in ("alanine", "benzene", "CO2")])
    table = torch.randn(32, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return batch, table[batch.slot]


def test_canonical_takes_the_order_of_the_graph():
    batch, scalars = batch_and_scalars()
    slots, losses = build("canonical")(scalars, batch)
    assert torch.equal(slots, batch.slot)
    assert losses == {}


def test_hungarian_takes_the_cheapest_assignment():
    batch, scalars = batch_and_scalars()
    aligner = build("hungarian")
    best = torch.where(batch.mask, batch.sizes.unsqueeze(1) - 1 - batch.slot, batch.slot)
    costs = 1.0 - torch.nn.functional.one_hot(best, batch.mask.shape[1]).double()
    action = aligner.match(GroupAction(aligner(scalars, batch)[0]), lambda: costs, batch)
    assert torch.equal(action.permutation, best)


@pytest.mark.parametrize("name", ["canonical", "sinkhorn", "softsort"])
def test_a_predicted_permutation_is_not_revised(name):
    batch, scalars = batch_and_scalars()
    aligner = build(name).eval()
    action = GroupAction(aligner(scalars, batch)[0])

    def never():
        raise RuntimeError("costs were asked for")

    assert aligner.match(action, never, batch) is action


def test_softsort_sorts_by_the_score():
    batch, scalars = batch_and_scalars()
    aligner = build("softsort").eval()
    slots, _ = aligner(scalars, batch)
    score = aligner.score(scalars).squeeze(-1)
    for graph, size in enumerate(batch.sizes.tolist()):
        assert torch.equal(slots[graph, :size], score[graph, :size].argsort().argsort())


@learned
def test_the_teacher_brings_the_canonical_order(name):
    batch, scalars = batch_and_scalars()
    aligner = build(name, temperature=0.3)
    optimiser = torch.optim.Adam(aligner.parameters(), lr=0.02)
    for _ in range(100):
        optimiser.zero_grad()
        aligner(scalars, batch)[1]["permutation"].sum().backward()
        optimiser.step()
    slots, _ = aligner.eval()(scalars, batch)
    assert torch.equal(slots[batch.mask], batch.slot[batch.mask])


@learned
def test_the_weight_of_the_teacher_scales_its_loss(name):
    batch, scalars = batch_and_scalars()
    one, two = (build(name, teacher=weight)(scalars, batch)[1]["permutation"] for weight in (1.0, 2.0))
    assert (one > 0).all()
    torch.testing.assert_close(two, 2 * one)


def test_sinkhorn_gives_the_same_valid_permutation_in_training_as_at_evaluation():
    batch, scalars = batch_and_scalars()
    aligner = build("sinkhorn")
    assert torch.equal(aligner(scalars, batch)[0], aligner.eval()(scalars, batch)[0])


def test_sinkhorn_without_a_teacher_lets_the_gradient_of_the_reconstruction_through():
    batch, scalars = batch_and_scalars()
    aligner = build("sinkhorn", teacher=0.0)
    matrix, losses = aligner(scalars, batch)
    assert losses == {}
    assert torch.equal(matrix.argmax(2)[batch.mask], aligner.eval()(scalars, batch)[0][batch.mask])
    # Values are those of a permutation, gradients those of the soft matrix.
    torch.testing.assert_close(matrix.sort(2).values[..., :-1], torch.zeros_like(matrix[..., :-1]))
    (matrix * torch.randn_like(matrix)).sum().backward()
    assert aligner.first.grad.abs().max() > 0
