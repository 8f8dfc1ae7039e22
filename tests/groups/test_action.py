from __future__ import annotations

import pytest
import torch

from molae.groups import GroupAction, SpecialOrthogonal, SymmetricGroup

BATCH, NODES = 3, 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def hard_action():
    return GroupAction(
        permutation=SymmetricGroup(NODES).sample(BATCH, generator=generator()),
        rotation=SpecialOrthogonal(3).sample(BATCH, generator=generator(), dtype=torch.float64),
        translation=normal(BATCH, 3),
        diagnostics={"degeneracy": torch.ones(BATCH)},
    )


def as_matrix(action):
    """The same action with its permutation as a matrix [node, slot]."""
    matrix = torch.nn.functional.one_hot(action.permutation, NODES).double()
    return GroupAction(matrix, action.rotation, action.translation)


def soft_action():
    halves = (as_matrix(hard_action()).permutation + torch.eye(NODES, dtype=torch.float64)) / 2
    action = hard_action()
    return GroupAction(halves, action.rotation, action.translation)


def test_node_takes_the_value_of_its_slot():
    action, values = hard_action(), normal(BATCH, NODES, 4)
    moved = action.nodes(values)
    for graph in range(BATCH):
        for node in range(NODES):
            slot = action.hard_index[graph, node]
            assert torch.equal(moved[graph, node], values[graph, slot])


def test_positions_follow_the_equation():
    action, x = hard_action(), normal(BATCH, NODES, 3)
    for graph in range(BATCH):
        p = as_matrix(action).permutation[graph]
        expected = p @ (x[graph] @ action.rotation[graph].T) + action.translation[graph]
        torch.testing.assert_close(action.positions(x)[graph], expected)


@pytest.mark.parametrize("method", ["nodes", "edges", "positions"])
@pytest.mark.parametrize("direction", ["", "canonical_"])
def test_index_and_its_matrix_act_alike(method, direction):
    values = normal(BATCH, NODES, NODES, 2) if method == "edges" else normal(BATCH, NODES, 3)
    name = direction + method
    action = hard_action()
    torch.testing.assert_close(getattr(action, name)(values), getattr(as_matrix(action), name)(values))


@pytest.mark.parametrize("method", ["nodes", "edges", "positions"])
def test_canonical_methods_undo_the_hard_action(method):
    values = normal(BATCH, NODES, NODES, 2) if method == "edges" else normal(BATCH, NODES, 3)
    action = hard_action()
    there_and_back = getattr(action, f"canonical_{method}")(getattr(action, method)(values))
    torch.testing.assert_close(there_and_back, values, atol=1e-12, rtol=0)


def test_soft_canonical_methods_use_the_transpose():
    action, x = soft_action(), normal(BATCH, NODES, 3)
    expected = action.permutation.mT @ ((x - action.translation.unsqueeze(1)) @ action.rotation)
    torch.testing.assert_close(action.canonical_positions(x), expected)
    edges = normal(BATCH, NODES, NODES)
    expected = action.permutation.mT @ edges @ action.permutation
    torch.testing.assert_close(action.canonical_edges(edges), expected)


@pytest.mark.parametrize("action", [hard_action(), soft_action()], ids=["hard", "soft"])
def test_categories_are_permuted_as_their_one_hot_matrix(action):
    categories = torch.randint(-1, 4, (BATCH, NODES, NODES), generator=generator())
    known = categories >= 0
    spread = torch.nn.functional.one_hot(categories.clamp(min=0), 4).double() * known.unsqueeze(-1)
    found = action.canonical_categories(categories, 4, torch.float64)
    torch.testing.assert_close(found, action.canonical_edges(spread))


def test_hard_action_is_an_element_of_its_group():
    action, x = hard_action(), normal(BATCH, NODES, 3)
    assert action.group.contains(action.element).all()
    torch.testing.assert_close(action.group.act(action.element, x), action.positions(x))
    inverse = action.group.inverse(action.element)
    torch.testing.assert_close(action.group.act(inverse, x), action.canonical_positions(x))


def test_action_without_coordinates_is_a_permutation():
    index = SymmetricGroup(NODES).sample(BATCH, generator=generator())
    action = GroupAction(index)
    assert action.group == SymmetricGroup(NODES)
    assert torch.equal(action.element, index)
    with pytest.raises(ValueError, match="without rotation"):
        action.positions(normal(BATCH, NODES, 3))


def test_soft_action_refuses_to_be_hard():
    action = soft_action()
    assert not action.is_hard
    with pytest.raises(ValueError, match="assign"):
        _ = action.hard_index
    with pytest.raises(ValueError, match="assign"):
        _ = action.element


def test_gradients_reach_every_part_and_stop_at_detach():
    action = soft_action()
    parts = [p.clone().requires_grad_() for p in (action.permutation, action.rotation, action.translation)]
    action = GroupAction(*parts, diagnostics={"degeneracy": parts[2].sum(dim=1)})
    action.positions(normal(BATCH, NODES, 3)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parts)
    detached = action.detach()
    assert not detached.positions(normal(BATCH, NODES, 3)).requires_grad
    assert not detached.diagnostics["degeneracy"].requires_grad
    assert GroupAction(hard_action().permutation).detach().rotation is None


@pytest.mark.parametrize(
    "permutation",
    [torch.zeros(2, 3), torch.zeros(2, 3, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.int32)],
)
def test_ill_typed_permutations_are_refused(permutation):
    with pytest.raises(ValueError, match="permutation must be"):
        GroupAction(permutation)


def test_rotation_needs_a_translation():
    with pytest.raises(ValueError, match="both rotation and translation"):
        GroupAction(torch.zeros(1, 1, dtype=torch.int64), rotation=torch.eye(3).unsqueeze(0))
