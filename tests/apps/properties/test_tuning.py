"""Fine-tuned networks of the summary."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from propertytable import RINGS, SMILES, VALUES, write_table
from pyarrow.csv import read_csv
from sklearn.base import clone

import molae
from molae.apps.molecules import molecule_schema
from molae.apps.properties import packing, tuning
from molae.apps.properties.estimators import PropertyClassifier, PropertyRegressor
from molae.apps.properties.fit import fit_file
from molae.apps.properties.model import Recipe
from molae.apps.properties.predict import predict_file
from molae.apps.properties.storage import load_model
from molae.apps.rows import Source
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.collate import collate
from molae.checkpoint import save_checkpoint
from molae.errors import CheckpointError, ConfigError
from molae.nn.summary import Summary, SummaryConfig
from molae.testing import ISOMER_SCHEMA, SCHEMA, asymmetric_graphs, isomers
from molae.testing.fixtures import molecule

SMALL = {"name": "slots", "width": 8, "head_width": 16}


def autoencoder(summary):
    torch.manual_seed(0)
    config = AutoencoderConfig(code_size=32, encoder={**SMALL, "summary": summary}, decoder=SMALL)
    model = Autoencoder(config, molecule_schema(20, coordinates=False)).eval()
    if model.encoder.summary is not None:
        torch.nn.init.normal_(model.encoder.summary.head[-1].weight, std=0.1)
    return model


@pytest.fixture(scope="module")
def model():
    return autoencoder({"size": 12, "width": 16, "layers": 2})


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(tuning, "_EPOCHS", 12)
    monkeypatch.setattr(tuning, "_EPOCHS_BETWEEN", 6)
    monkeypatch.setattr(tuning, "_RATES", {"summary": 5e-3, "distances": 1e-3})
    monkeypatch.setattr(tuning, "_BATCH", 6)
    monkeypatch.setattr(tuning, "_AVERAGED", 0.8)
    monkeypatch.setattr("molae.apps.properties.model.FOLDS", 2)


def regressor(model, **options):
    return PropertyRegressor(model, **{"features": "code", "groups": "random", "fine_tune": True, **options})


def test_packed_graphs_come_back():
    graphs = list(isomers().values())
    rows = np.array([packing.pack_graph(graph, ISOMER_SCHEMA) for graph in graphs])
    assert rows.shape == (len(graphs), packing.packed_size(ISOMER_SCHEMA))
    found, expected = packing.unpack_graphs(rows, ISOMER_SCHEMA), collate(graphs)
    assert found.pos is None
    for name in ("nodes", "edges", "mask"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


def test_packed_graphs_keep_their_positions():
    graphs = list(asymmetric_graphs().values())
    rows = np.array([packing.pack_graph(graph, SCHEMA) for graph in graphs])
    assert rows.shape == (len(graphs), packing.packed_size(SCHEMA))
    found, expected = packing.unpack_graphs(rows, SCHEMA), collate(graphs, torch.float32)
    assert torch.equal(found.pos, expected.pos)
    assert torch.equal(found.edges, expected.edges)


def test_distances_are_learned_where_the_model_reads_positions(monkeypatch):
    monkeypatch.setattr(tuning, "_EPOCHS", 24)
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    summary = Summary(SummaryConfig(size=12, width=16, layers=2), SCHEMA)
    # Which conformer a molecule is in says all, and what it is, nothing.
    graphs = [molecule("OCCCCO", seed) for seed in range(80)]
    length = np.array([np.linalg.norm(graph.pos[0] - graph.pos[5]) for graph in graphs])
    rows = np.array([packing.pack_graph(graph, SCHEMA) for graph in graphs])
    groups, scores = random.permutation(len(graphs)), np.full((len(graphs), 1), length.mean())
    tuned = tuning.fine_tune(summary, "distances", rows, length, groups, scores, 2, seed=0)
    assert tuned.judged.all()
    assert np.square(tuned.scores[:, 0] - length).mean() < 0.5 * length.var()
    again = tuning.fine_tune(summary, "distances", rows, length, groups, scores, 2, seed=0)
    np.testing.assert_array_equal(again.scores, tuned.scores)
    described = json.loads(json.dumps(tuned.networks.described()))
    stored = tuning.TunedNetworks.from_described(described, tuned.networks.weights)
    np.testing.assert_array_equal(stored.join(scores, rows), tuned.networks.join(scores, rows))
    # What stays as it is, is stored once.
    counts = {name.split(".")[0]: set() for name in stored.weights}
    for name, values in stored.weights.items():
        counts[name.split(".")[0]].add(len(values))
    assert counts["summary"] == {1}
    assert max(counts["spatial"]) == len(stored) == 2


def test_of_very_many_molecules_two_networks_are_trained(model, monkeypatch):
    monkeypatch.setattr(tuning, "MANY", 40)
    monkeypatch.setattr(tuning, "_BATCH_OF_MANY", 6)
    many = regressor(model, estimator="ridge").fit(SMILES, VALUES)
    assert [len(networks) for networks in many.property_model_.tuned] == [2]
    assert np.square(many.predict(SMILES) - VALUES).mean() < 0.1 * VALUES.var()
    inside = many.predict_interval(SMILES)
    monkeypatch.setattr(tuning, "MOST_MOLECULES", 30)
    fewer = regressor(model, estimator="ridge").fit(SMILES, VALUES)
    assert not np.array_equal(fewer.predict(SMILES), many.predict(SMILES))
    assert 0.7 < ((inside[:, 0] <= VALUES) & (inside[:, 1] >= VALUES)).mean() <= 1


def test_it_learns_and_leaves_the_model_as_it_was(model):
    before = {name: values.clone() for name, values in model.state_dict().items()}
    smiles, others = SMILES[::2], SMILES[1::2]
    tuned = regressor(model, estimator="ridge").fit(smiles, VALUES[::2])
    error = np.square(tuned.predict(others) - VALUES[1::2]).mean()
    assert [networks.kind for networks in tuned.property_model_.tuned] == ["summary"]
    assert error < 0.1 * VALUES.var()
    assert (tuned.predict_interval(others)[:, 1] > tuned.predict(others)).all()
    for name, values in model.state_dict().items():
        assert torch.equal(values, before[name])


def test_the_same_seed_gives_the_same(model):
    first = regressor(model).fit(SMILES[:40], VALUES[:40])
    torch.manual_seed(5)
    again = clone(first).fit(SMILES[:40], VALUES[:40])
    np.testing.assert_array_equal(first.predict(SMILES), again.predict(SMILES))


def test_networks_that_do_not_help_are_left_out(model):
    noise = np.random.default_rng(0).normal(size=len(SMILES))
    found = regressor(model).fit(SMILES, noise)
    frozen = regressor(model, fine_tune=False).fit(SMILES, noise)
    if not found.property_model_.tuned:
        np.testing.assert_array_equal(found.predict(SMILES), frozen.predict(SMILES))
    found, frozen = np.arange(6.0)[None], np.arange(6.0)
    assert tuning._choose(found + 1, frozen, frozen) == (0, 0.0)
    assert tuning._choose(found, frozen + 1, frozen) == (0, 1.0)


def test_two_classes_are_told_apart(model):
    found = PropertyClassifier(model, features="code", groups="random", fine_tune=True).fit(SMILES, RINGS)
    assert (found.predict(SMILES) == RINGS).mean() > 0.95
    np.testing.assert_allclose(found.predict_proba(SMILES).sum(axis=1), 1)


def test_what_cannot_be_fine_tuned_is_refused(model):
    with pytest.raises(ConfigError, match="two classes"):
        PropertyClassifier(model, features="code", fine_tune=True).fit(SMILES, np.arange(len(SMILES)) % 3)
    with pytest.raises(ConfigError, match="needs the estimator gp"):
        PropertyClassifier(model, features="code", estimator="ridge", fine_tune=True).fit(SMILES, RINGS)
    with pytest.raises(ConfigError, match="from the code"):
        Recipe("descriptors", fine_tune=True)
    with pytest.raises(ConfigError, match="no summary to fine-tune"):
        regressor(autoencoder(None)).fit(SMILES, VALUES)


def test_models_are_saved_and_predict_the_same(model, tmp_path):
    save_checkpoint(model, tmp_path / "codes")
    labels = [value if place % 3 else "" for place, value in enumerate(VALUES)]
    table = write_table(tmp_path / "train.csv", {"smiles": SMILES, "size": labels, "ring": RINGS})
    recipe = Recipe("code", fine_tune=True)
    report = fit_file(
        Source(table), ["size", "ring"], tmp_path / "fitted", str(tmp_path / "codes"), recipe=recipe
    )
    stored = load_model(tmp_path / "fitted")
    assert stored.blocks == ("code", "graph")
    assert any(each.model.tuned for each in stored.targets)
    assert any(each["fine_tuned"].get("summary") for each in report["targets"])
    description = json.loads((tmp_path / "fitted" / "property_model.json").read_text())
    assert description["format_version"] == 3
    found = predict_file(tmp_path / "fitted", Source(table), tmp_path / "out.csv", device="cpu")
    assert found.ok == len(SMILES)
    again = load_model(tmp_path / "fitted").targets[0].model
    blocks = {
        "code": molae.embed(SMILES, model)[:, :12],
        "graph": np.array([packing.pack_graph(_graph(each), model.schema) for each in SMILES]),
    }
    written = read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(
        again.predict(blocks).value, written["size_predicted"].to_numpy(), rtol=1e-4, atol=1e-5
    )
    description["format_version"] = 2
    (tmp_path / "fitted" / "property_model.json").write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match="older molae"):
        load_model(tmp_path / "fitted")


def _graph(smiles):
    from molae.apps.molecules import read_molecule

    return read_molecule(smiles, molecule_schema(20, coordinates=False)).graph
