"""Decoded graphs with a few mistakes are mended from their codes; others are left alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.decoder.proofread import proofread
from molae.nn.channels import CodeChannels
from molae.nn.lanes import Lanes
from molae.nn.linear import LinearLanes
from molae.testing import ISOMER_SCHEMA, dense, isomers
from molae.types import Decoded

SLOTS, KINDS, NODES, LANE = 12, 4, (5, 3), 6
LANES = Lanes(CodeChannels(2, SLOTS * LANE), SLOTS)
BACK = (0, 2, 1, 3)


def linear(seed: int = 0) -> LinearLanes:
    random = torch.Generator().manual_seed(seed)

    def table(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, LANE, generator=random, dtype=torch.float64)

    return LinearLanes(LANES, tuple(table(size) for size in NODES), table(SLOTS), table(SLOTS, SLOTS, KINDS))


def random_graph(seed: int, n: int, directed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    nodes = torch.stack([torch.randint(size, (n,), generator=random) for size in NODES], dim=1)
    there = torch.rand(n, n, generator=random) < 0.25
    lower = torch.randint(1, KINDS, (n, n), generator=random).where(there, 0).tril(-1)
    return nodes, lower + (torch.tensor(BACK)[lower] if directed else lower).T


def as_decoded(nodes: torch.Tensor, edges: torch.Tensor, n: int) -> Decoded:
    """Scores of a graph of `n` nodes, as a decoder gives them, of all slots."""
    own = torch.zeros(SLOTS, len(NODES), dtype=torch.int64)
    pairs = torch.zeros(SLOTS, SLOTS, dtype=torch.int64)
    own[: len(nodes)], pairs[: len(nodes), : len(nodes)] = nodes, edges
    one_hot = torch.nn.functional.one_hot
    return Decoded(
        size_logits=one_hot(torch.tensor([n]), SLOTS + 1).float(),
        node_logits=tuple(one_hot(own[None, :, c], size).float() for c, size in enumerate(NODES)),
        edge_logits=one_hot(pairs[None], KINDS).float(),
        pos=None,
    )


def code_of(nodes: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    lanes = linear().of(nodes[None], edges[None], torch.tensor([len(nodes)]))
    return LANES.join(lanes).float()


def read(decoded: Decoded) -> tuple[torch.Tensor, torch.Tensor]:
    n = int(decoded.size_logits.argmax())
    nodes = torch.stack([scores[0].argmax(-1) for scores in decoded.node_logits], dim=1)
    return nodes[:n], decoded.edge_logits[0].argmax(-1)[:n, :n]


@given(st.integers(0, 10_000), st.integers(2, SLOTS), st.integers(1, 6), st.booleans())
def test_a_few_mistakes_are_mended(seed: int, n: int, mistakes: int, directed: bool) -> None:
    nodes, edges = random_graph(seed, n, directed)
    random = torch.Generator().manual_seed(seed)
    wrong_nodes, wrong_edges = nodes.clone(), edges.clone()
    for _ in range(mistakes):
        i, j = torch.randint(n, (2,), generator=random).tolist()
        kind = int(torch.randint(KINDS, (1,), generator=random))
        if i == j:
            wrong_nodes[i, 0] = kind
        else:
            wrong_edges[i, j], wrong_edges[j, i] = kind, BACK[kind] if directed else kind
    decoded = as_decoded(wrong_nodes, wrong_edges, n)
    mended = proofread(decoded, code_of(nodes, edges), linear(), BACK if directed else None)
    found_nodes, found_edges = read(mended)
    assert torch.equal(found_nodes, nodes)
    assert torch.equal(found_edges, edges)


@pytest.mark.parametrize("said", [5, 8])
def test_the_number_of_nodes_is_told_by_the_code(said: int) -> None:
    nodes, edges = random_graph(0, 7, False)
    decoded = as_decoded(nodes, edges, said)
    found_nodes, found_edges = read(proofread(decoded, code_of(nodes, edges), linear()))
    assert torch.equal(found_nodes, nodes)
    assert torch.equal(found_edges, edges)


def test_right_graphs_and_codes_of_no_graph_are_left_as_they_were_decoded() -> None:
    nodes, edges = random_graph(0, 9, False)
    decoded = as_decoded(nodes, edges, 9)
    code = code_of(nodes, edges)
    assert proofread(decoded, code, linear()) is decoded
    wrong = as_decoded(nodes, random_graph(1, 9, False)[1], 9)
    assert proofread(wrong, code + 0.1 * torch.randn_like(code), linear()) is wrong
    one = code.clone()
    one[0, 2] += 0.1
    assert proofread(decoded, one, linear()) is decoded


def test_what_would_take_long_is_left_alone() -> None:
    """Half of two hundred slots have changed at random: every sum of four changes would be tried for each."""
    n, lane = 200, 4
    random = torch.Generator().manual_seed(0)

    def table(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, lane, generator=random, dtype=torch.float64)

    lanes = Lanes(CodeChannels(0, n * lane), n)
    tables = LinearLanes(lanes, tuple(table(size) for size in NODES), table(n), table(n, n, KINDS))
    edges = torch.diag(torch.ones(n - 1, dtype=torch.int64), 1)
    edges = edges + edges.T
    nodes = torch.zeros(n, len(NODES), dtype=torch.int64)
    wanted = tables.of(nodes[None], edges[None], torch.tensor([n]))
    wanted[:, : n // 2] += torch.randn(n // 2, lane, generator=random)
    decoded = Decoded(
        size_logits=torch.nn.functional.one_hot(torch.tensor([n]), n + 1).float(),
        node_logits=tuple(torch.nn.functional.one_hot(nodes[None, :, 0], size).float() for size in NODES),
        edge_logits=torch.nn.functional.one_hot(edges[None], KINDS).float(),
        pos=None,
    )
    assert proofread(decoded, lanes.join(wanted).float(), tables) is decoded


@torch.no_grad()
def test_codes_of_a_model_without_a_head_put_a_decoder_right_that_errs_twice() -> None:
    torch.manual_seed(0)
    small = {"name": "slots", "width": 16, "head_width": 32}
    config = AutoencoderConfig(
        code_size=8 * 32 + 4, encoder={**small, "head": False, "summary": {"size": 4}}, decoder=small
    )
    model = Autoencoder(config, ISOMER_SCHEMA).eval()
    batch = dense([isomers()[name] for name in ("R-alanine", "E-butene", "cubane")])
    linear_lanes = model.encoder.linear_lanes()
    assert linear_lanes is not None
    code = model.encode(batch).invariant
    n = batch.sizes.tolist()
    decoded = model.decode(code)
    slot = batch.slot.argsort(1)
    for i, size in enumerate(n):
        nodes = batch.nodes[i, slot[i]][:size].clone()
        edges = batch.edges[i][slot[i]][:, slot[i]][:size, :size].clone()
        right_nodes, right_edges = nodes.clone(), edges.clone()
        nodes[0, 0] = 5
        edges[0, 1] = edges[1, 0] = 4
        scores = [torch.full_like(each[i : i + 1], 0.0) for each in decoded.node_logits]
        for channel, each in enumerate(scores):
            each[0, torch.arange(size), nodes[:, channel]] = 1.0
        pairs = torch.zeros_like(decoded.edge_logits[i : i + 1])
        pairs[..., 0] = 0.5
        pairs[0, torch.arange(size)[:, None], torch.arange(size), edges] = 1.0
        sizes = torch.zeros_like(decoded.size_logits[i : i + 1])
        sizes[0, size] = 1.0
        mended = proofread(Decoded(sizes, tuple(scores), pairs, None), code[i : i + 1], linear_lanes)
        found_nodes, found_edges = read(mended)
        assert torch.equal(found_nodes, right_nodes)
        assert torch.equal(found_edges, right_edges)
