from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from molae.groups import GroupAction, SpecialEuclidean, SymmetricGroup
from molae.loss.reconstruction import (
    LossConfig,
    align,
    node_costs,
    reconstruction_figures,
    reconstruction_terms,
)
from molae.testing import SCHEMA, all_graphs, attributed_graphs, attributed_schema, dense
from molae.types import Decoded

CONFIG = LossConfig()
NAMES = ("alanine", "benzene", "CO2", "single carbon")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def example():
    """A batch, an action that is not the canonical one, and what a perfect decoder gives for it."""
    batch = dense([all_graphs()[name] for name in NAMES])
    motion = SpecialEuclidean(3).sample(len(batch), generator=generator(), dtype=torch.float64)
    action = GroupAction(batch.slot, motion.rotation, motion.translation)
    return batch, action, perfect(batch, action)


def perfect(batch, action, sureness=50.0):
    def scores(categories, size):
        return sureness * torch.nn.functional.one_hot(categories, size).double()

    nodes = action.canonical_nodes(batch.nodes)
    return Decoded(
        size_logits=scores(batch.sizes, SCHEMA.max_nodes + 1),
        node_logits=tuple(scores(nodes[..., k], size) for k, size in enumerate(SCHEMA.node_sizes)),
        edge_logits=scores(action.canonical_edges(batch.edges), SCHEMA.edge_types),
        pos=action.canonical_positions(batch.pos),
    )


def noisy(decoded):
    random = generator(1)

    def shaken(t):
        return t + torch.randn(t.shape, generator=random, dtype=t.dtype)

    edges = shaken(decoded.edge_logits)
    return Decoded(
        shaken(decoded.size_logits),
        tuple(map(shaken, decoded.node_logits)),
        edges + edges.transpose(1, 2),
        shaken(decoded.pos),
    )


def terms(decoded, action, batch):
    return reconstruction_terms(align(decoded, action, batch), batch.sizes, CONFIG)


def figures(decoded, action, batch):
    return reconstruction_figures(align(decoded, action, batch), batch.sizes)


def test_a_perfect_reconstruction_costs_nothing_and_is_exact():
    batch, action, decoded = example()
    for name, term in terms(decoded, action, batch).items():
        torch.testing.assert_close(term, torch.zeros_like(term), atol=1e-9, rtol=0, msg=name)
    found = figures(decoded, action, batch)
    assert found["exact"].all()
    torch.testing.assert_close(found["rmsd"], torch.zeros_like(found["rmsd"]), atol=1e-12, rtol=0)


def test_terms_are_those_of_a_permutation_matrix_too():
    """On slots for indices, on nodes for a matrix: the same molecule, so the same loss."""
    batch, action, decoded = example()
    decoded = noisy(decoded)
    matrix = torch.nn.functional.one_hot(action.permutation, batch.mask.shape[1]).double()
    by_matrix = terms(decoded, replace(action, permutation=matrix), batch)
    for name, term in terms(decoded, action, batch).items():
        torch.testing.assert_close(by_matrix[name], term, msg=name)


def test_terms_do_not_change_when_the_input_and_its_action_move():
    batch, action, decoded = example()
    decoded = noisy(decoded)
    m = batch.mask.shape[1]
    index = torch.stack([torch.cat([torch.randperm(n), torch.arange(n, m)]) for n in batch.sizes.tolist()])
    before = terms(decoded, action, batch)
    group = SpecialEuclidean(3)
    h = group.sample(len(batch), generator=generator(3), dtype=torch.float64)
    moved = replace(batch, pos=group.act(h, batch.pos)).renumber(index)
    composed = group.compose(h, group_element(action))
    moved_action = GroupAction(
        SymmetricGroup(m).act(index, action.permutation), composed.rotation, composed.translation
    )
    for name, term in terms(decoded, moved_action, moved).items():
        torch.testing.assert_close(term, before[name], msg=name)


def group_element(action):
    return type(SpecialEuclidean(3).identity(1))(action.rotation, action.translation)


def test_padding_has_no_say():
    batch, action, decoded = example()
    decoded = noisy(decoded)
    outside = ~batch.mask
    spoilt = Decoded(
        decoded.size_logits,
        tuple(scores + 9 * torch.randn_like(scores) * outside.unsqueeze(2) for scores in decoded.node_logits),
        decoded.edge_logits
        + 9.0 * (outside.unsqueeze(1) | outside.unsqueeze(2)).unsqueeze(3) * torch.arange(5),
        decoded.pos + 7.0 * outside.unsqueeze(2),
    )
    for measure in (terms, figures):
        before, after = (measure(each, action, batch) for each in (decoded, spoilt))
        for name in before:
            torch.testing.assert_close(after[name], before[name], msg=name)


@pytest.mark.parametrize("fault", ["size", "node", "edge"])
def test_one_wrong_category_is_not_exact(fault):
    batch, action, decoded = example()
    if fault == "size":
        decoded.size_logits[0, 3] += 100
    if fault == "node":
        decoded.node_logits[1][0, 2, 1] += 100
    if fault == "edge":
        decoded.edge_logits[0, 0, 1, 3] += 100
        decoded.edge_logits[0, 1, 0, 3] += 100
    found = figures(decoded, action, batch)
    assert found["exact"].tolist() == [False, True, True, True]
    assert found["edges_exact"].tolist() == [fault != "edge", True, True, True]
    assert found["nodes_exact"].tolist() == [fault == "edge", True, True, True]


def test_rmsd_is_taken_over_the_nodes():
    batch, action, decoded = example()
    shifted = decoded._replace(pos=decoded.pos + torch.tensor([0.3, 0.0, 0.4]))
    torch.testing.assert_close(
        figures(shifted, action, batch)["rmsd"], torch.full((len(batch),), 0.5, dtype=torch.float64)
    )


def test_positions_are_charged_by_their_distance_softened_at_zero():
    batch, action, decoded = example()
    far = decoded._replace(pos=decoded.pos + torch.tensor([3.0, 0.0, 0.0]))
    term = terms(far, action, batch)["positions"]
    expected = CONFIG.position * (3.0 - CONFIG.softening) * batch.sizes
    torch.testing.assert_close(term, expected.double(), rtol=1e-4, atol=0)


def test_the_loss_has_finite_gradients_at_a_perfect_reconstruction():
    batch, action, decoded = example()
    pos = decoded.pos.clone().requires_grad_()
    sum(t.sum() for t in terms(decoded._replace(pos=pos), action, batch).values()).backward()
    assert pos.grad.isfinite().all()


def test_costs_add_up_to_the_node_terms():
    """Along the assignment of the action they are the likelihoods and the distances of its nodes."""
    batch, action, decoded = example()
    decoded = noisy(decoded)
    costs = node_costs(decoded, action, batch, CONFIG)
    charged = (costs.gather(2, action.permutation.unsqueeze(2)).squeeze(2) * batch.mask).sum(1)
    found = terms(decoded, action, batch)
    expected = found["nodes"] + found["positions"]
    allowed = CONFIG.position * CONFIG.softening * batch.sizes + 1e-3
    assert ((charged - expected).abs() <= allowed).all()


def test_graphs_without_positions_have_no_position_term():
    batch, action, decoded = example()
    flat, action = replace(batch, pos=None), GroupAction(action.permutation)
    decoded = decoded._replace(pos=None)
    assert set(terms(decoded, action, flat)) == {"size", "nodes", "edges"}
    assert "rmsd" not in figures(decoded, action, flat)
    assert node_costs(decoded, action, flat, CONFIG).shape == batch.edges.shape


def attributed_example(directed):
    """The same of graphs with numbers, under an action that is not the canonical one."""
    schema = attributed_schema(directed)
    batch = dense(list(attributed_graphs(directed).values()))
    action = GroupAction(batch.slot)

    def scores(categories, size):
        return 50.0 * torch.nn.functional.one_hot(categories, size).double()

    nodes = action.canonical_nodes(batch.nodes)
    decoded = Decoded(
        size_logits=scores(batch.sizes, schema.max_nodes + 1),
        node_logits=tuple(scores(nodes[..., k], size) for k, size in enumerate(schema.node_sizes)),
        edge_logits=scores(action.canonical_edges(batch.edges), schema.edge_types),
        pos=None,
        numbers=action.canonical_nodes(batch.numbers),
        edge_numbers=action.canonical_edges(batch.edge_features),
    )
    return batch, action, decoded


@pytest.mark.parametrize("directed", [False, True])
def test_numbers_are_charged_by_their_deviation(directed):
    batch, action, decoded = attributed_example(directed)
    for name, term in terms(decoded, action, batch).items():
        torch.testing.assert_close(term, torch.zeros_like(term), atol=1e-9, rtol=0, msg=name)
    found = figures(decoded, action, batch)
    assert found["exact"].all()
    assert found["numbers_rmse"].max() == 0
    has_edges = batch.edges.flatten(1).any(1)
    assert torch.equal(found["edge_numbers_rmse"].isfinite(), has_edges)
    off = decoded._replace(numbers=decoded.numbers + 3.0, edge_numbers=decoded.edge_numbers - 2.0)
    charged = terms(off, action, batch)
    expected = CONFIG.numbers * (3.0 - CONFIG.softening) * 2 * batch.sizes
    torch.testing.assert_close(charged["numbers"], expected.double(), rtol=1e-4, atol=0)
    ways = torch.tensor(attributed_schema(directed).labels.directions)[batch.edges] > 0
    edges = ways[..., 0].flatten(1).sum(1) / (1 if directed else 2)
    expected = CONFIG.numbers * (2.0 - CONFIG.softening) * edges
    torch.testing.assert_close(charged["edge_numbers"], expected.double(), rtol=1e-4, atol=0)
    assert figures(off, action, batch)["exact"].all()
    torch.testing.assert_close(
        figures(off, action, batch)["numbers_rmse"], torch.full((len(batch),), 3.0).double()
    )


@pytest.mark.parametrize("directed", [False, True])
def test_numbers_cost_the_same_by_index_and_by_matrix_and_have_finite_gradients(directed):
    batch, action, decoded = attributed_example(directed)
    leaves = [decoded.numbers.clone().requires_grad_(), decoded.edge_numbers.clone().requires_grad_()]
    shaken = decoded._replace(numbers=leaves[0] + 0.3, edge_numbers=leaves[1] * 1.1)
    matrix = torch.nn.functional.one_hot(action.permutation, batch.mask.shape[1]).double()
    by_matrix = terms(shaken, replace(action, permutation=matrix), batch)
    by_index = terms(shaken, action, batch)
    for name, term in by_index.items():
        torch.testing.assert_close(by_matrix[name], term, msg=name)
    at_the_target = terms(decoded._replace(numbers=leaves[0]), action, batch)
    sum(term.sum() for term in [*by_index.values(), *at_the_target.values()]).backward()
    assert all(leaf.grad.isfinite().all() for leaf in leaves)


def test_costs_know_the_numbers():
    batch, action, decoded = attributed_example(True)
    costs = node_costs(decoded._replace(numbers=decoded.numbers + 1.0), action, batch, CONFIG)
    charged = (costs.gather(2, action.permutation.unsqueeze(2)).squeeze(2) * batch.mask).sum(1)
    torch.testing.assert_close(charged, (CONFIG.numbers * 2.0 * batch.sizes).float(), rtol=1e-3, atol=1e-3)
