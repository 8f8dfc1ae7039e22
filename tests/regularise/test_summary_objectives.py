"""The regularisers that are about the summary: VICReg, distance covariance, hidden nodes."""

from __future__ import annotations

import pytest
import torch

from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.packed import pack
from molae.checkpoint import load_checkpoint
from molae.errors import ConfigError
from molae.regularise.distance_covariance import distance_correlation
from molae.regularise.views import cut_edges, hide_nodes
from molae.testing import ISOMER_SCHEMA, dense, isomers
from molae.training import parse_config, train

NAMES = ("vicreg", "distance-covariance", "masked")
SMALL = {"name": "slots", "width": 16, "head_width": 32}
SUMMARY = {"size": 12, "width": 16, "layers": 2}


def batch():
    return dense(list(isomers().values()), torch.float32)


def model(regulariser=None, summary=SUMMARY):
    torch.manual_seed(0)
    encoder = {**SMALL, "summary": summary}
    config = AutoencoderConfig(code_size=48, encoder=encoder, decoder=SMALL, regulariser=regulariser)
    return Autoencoder(config, ISOMER_SCHEMA)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", NAMES)
def test_a_code_without_a_summary_is_refused(name):
    with pytest.raises(ConfigError, match=f"'{name}' is about the summary, and the code has none"):
        model({"name": name}, summary=None)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_trained_away(name):
    trained, graphs = model({"name": name}), batch()
    with torch.no_grad():
        # The summary is nothing at the start, and nothing does not depend on the size.
        trained.encoder.summary.head[-1].weight.normal_(std=0.3, generator=generator())
    names = set(trained.loss(graphs)) - set(model().loss(graphs))
    assert names
    optimizer = torch.optim.Adam(trained.parameters(), lr=0.01)
    costs = []
    for _ in range(60):
        cost = sum(trained.loss(graphs, generator())[each] for each in names)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    assert costs[-1] < 0.7 * costs[0]


@pytest.mark.parametrize("devices", [1, 2])
def test_they_are_trained_in_mixed_precision_by_several_processes(devices, tmp_path):
    data = tmp_path / "data.safetensors"
    pack(enumerate(list(isomers().values()) * 4), ISOMER_SCHEMA, data)
    network = {**SMALL, "summary": SUMMARY}
    for name in NAMES if devices == 1 else ("vicreg",):
        sections = {
            "model": {"code_size": 48, "encoder": network, "decoder": SMALL, "regulariser": {"name": name}},
            "training": {
                **{"steps": 3, "batch_size": 8, "window": 2, "precision": "bf16-mixed"},
                **{"devices": devices, "accelerator": "cpu", "validation_size": 8, "log_every": 1},
            },
        }
        train(parse_config(sections), data, tmp_path / name)
        assert load_checkpoint(tmp_path / name / "last").config.regulariser == {"name": name}


@pytest.mark.parametrize("name", NAMES)
def test_other_terms_stay_as_they_are(name):
    plain, other = model(), model({"name": name})
    other.load_state_dict(plain.state_dict(), strict=False)
    before, after = (each.loss(batch(), generator()) for each in (plain, other))
    for each in before.keys() - {"loss"}:
        assert torch.equal(before[each], after[each])
    added = sum(after[each] for each in after.keys() - before.keys())
    torch.testing.assert_close(after["loss"], before["loss"] + added)


def test_views_withhold_what_they_should_and_nothing_else():
    graphs = batch()
    hidden = hide_nodes(graphs, 0.5, generator())
    assert hidden.any()
    assert not (hidden & ~graphs.mask).any()
    cut = cut_edges(graphs, 0.5, generator())
    assert torch.equal(cut.edges, cut.edges.mT)
    left = cut.edges > 0
    assert 0 < left.sum() < (graphs.edges > 0).sum()
    assert torch.equal(cut.edges[left], graphs.edges[left])
    assert len(cut.edge_list.kind) == left.sum()
    assert not hide_nodes(graphs, 0.5, None).any()
    assert cut_edges(graphs, 0.5, None) is graphs


def test_what_is_hidden_does_not_reach_the_summary():
    summary, graphs = model().encoder.summary, batch()
    hidden = hide_nodes(graphs, 0.3, generator())
    with torch.no_grad():
        summary.head[-1].weight.normal_()
        seen = summary(graphs, hidden)
        graphs.nodes[hidden] = 0
        assert torch.equal(seen, summary(graphs, hidden))
        assert not torch.equal(seen, summary(graphs))


def test_distance_correlation_finds_what_a_correlation_does_not():
    x = torch.randn(400, 1, generator=generator(), dtype=torch.float64)
    assert distance_correlation(x, -3 * x) == pytest.approx(1.0)
    assert distance_correlation(x, x.square()) > 0.15
    other = torch.randn(400, 50, generator=generator(1), dtype=torch.float64)
    assert abs(distance_correlation(x, other)) < 0.02


def test_distance_correlation_of_what_does_not_vary_is_nothing():
    x, same = torch.randn(9, 3, requires_grad=True), torch.ones(9, 1)
    for value in (distance_correlation(x, same), distance_correlation(x[:3], x[:3])):
        value.backward()
        assert value == 0
        assert x.grad.isfinite().all()


def test_distance_correlation_is_the_published_estimate():
    """Term by term, as Székely and Rizzo 2014 write it."""
    x, y = torch.randn(7, 2, dtype=torch.float64), torch.randn(7, 1, dtype=torch.float64)

    def centred(values):
        n, a = len(values), torch.cdist(values, values)
        return torch.tensor(
            [
                [
                    0.0
                    if i == j
                    else float(
                        a[i, j]
                        - a[i].sum() / (n - 2)
                        - a[:, j].sum() / (n - 2)
                        + a.sum() / ((n - 1) * (n - 2))
                    )
                    for j in range(n)
                ]
                for i in range(n)
            ],
            dtype=torch.float64,
        )

    a, b = centred(x), centred(y)
    expected = (a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()
    torch.testing.assert_close(distance_correlation(x, y), expected)


def test_terms_with_a_name_that_is_taken_are_refused(monkeypatch):
    regularised = model({"name": "masked"})
    monkeypatch.setattr(regularised.regulariser, "forward", lambda context: {"size": torch.zeros(())})
    with pytest.raises(ValueError, match=r"rename \['size'\]"):
        regularised.loss(batch())
