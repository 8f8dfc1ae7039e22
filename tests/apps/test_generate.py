"""New molecules and graphs, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from rdkit import Chem
from smallgraphs import known_graphs, small_graph_model
from smallmodel import CONFIG, ISOMER_SCHEMA, KNOWN, save_small_model, small_model

import molae
from molae.apps.evaluate_graphs import evaluate_graphs
from molae.apps.judge import judge_generated, name_of
from molae.apps.priors import code_space
from molae.apps.reading import try_sample
from molae.apps.rows import Source
from molae.autoencoder import Autoencoder
from molae.checkpoint import load_checkpoint, save_checkpoint
from molae.errors import ConfigError
from molae.graphs.convert import from_networkx
from molae.prior import OrderedGraph
from molae.testing import with_generic_weights


@pytest.fixture
def molecules(tmp_path: Path) -> Path:
    path = tmp_path / "known.smi"
    path.write_text("\n".join(KNOWN) + "\nnot a molecule\n")
    return path


def test_codes_of_known_molecules_are_valid_and_not_new() -> None:
    model = small_model(ISOMER_SCHEMA)
    samples = [try_sample(smiles, model.schema) for smiles in KNOWN]
    codes = molae.embed(KNOWN, model)
    figures = judge_generated(model, np.concatenate([codes, codes[:2]]), set(map(name_of, samples)), samples)
    assert (figures["generated"], figures["valid_rate"], figures["novel_rate"]) == (10, 1.0, 0.0)
    assert figures["unique_rate"] == pytest.approx(8 / 10)
    assert figures["degree_mmd"] < 0.01
    assert figures["whole_rate"] == 1.0
    assert figures["weight_distance"] < 5


def test_graphs_are_known_whatever_their_numbering() -> None:
    model = small_graph_model()
    turned = [nx.relabel_nodes(g, {i: len(g) - i for i in g}) for g in known_graphs()]
    samples = [try_sample(from_networkx(graph), model.schema) for graph in turned]
    figures = judge_generated(model, molae.embed(known_graphs(), model), set(map(name_of, samples)), samples)
    assert (figures["valid_rate"], figures["unique_rate"], figures["novel_rate"]) == (1.0, 1.0, 0.0)
    assert figures["orbit_mmd"] == pytest.approx(0, abs=1e-9)


def test_new_molecules_are_drawn_alike_from_the_same_seed() -> None:
    model = small_model(ISOMER_SCHEMA)
    codes = molae.embed(KNOWN, model)
    first, again = (molae.generate_molecules(20, codes, model, seed=3) for _ in range(2))
    written = [[mol and Chem.MolToSmiles(mol) for mol in mols] for mols in (first, again)]
    assert len(first) == 20
    assert written[0] == written[1]
    with pytest.raises(ConfigError, match="n: expected at least 1"):
        molae.generate_molecules(0, codes, model)
    with pytest.raises(ConfigError, match=r"shape \(n, 16\)"):
        molae.generate_molecules(3, codes[:, :5], model)


def test_the_protocol_on_molecules_is_about_what_is_generated(tmp_path: Path, molecules: Path) -> None:
    model = save_small_model(tmp_path / "model", ISOMER_SCHEMA)
    with pytest.raises(ConfigError, match="molae evaluate reconstruction"):
        evaluate_graphs(Source(molecules), model)
    report = evaluate_graphs(Source(molecules), model, Source(molecules), prior="normal")
    assert report["prior"] == "normal"
    assert report["unread"]
    assert {"valid_rate", "unique_rate", "novel_rate"} <= set(report["figures"])
    assert (report["figures"]["count"], report["figures"]["generated"]) == (8, 8)
    assert "exact_rate" not in report["figures"]
    molae.fit_prior(molae.embed(list(KNOWN), model), model, prior="normal", device="cpu")
    stored = evaluate_graphs(Source(molecules), model, Source(molecules), prior="stored")
    assert stored["figures"] == report["figures"]


def test_a_variational_model_is_saved_and_loaded(tmp_path: Path) -> None:
    known = small_graph_model()
    config = known.config.model_copy(update={"regulariser": {"name": "variational", "delay": 3}})
    model = Autoencoder(config, known.schema).eval()
    save_checkpoint(model, tmp_path / "model")
    assert load_checkpoint(tmp_path / "model").config == config
    codes = [molae.embed(known_graphs(), each) for each in (model, tmp_path / "model", tmp_path / "model")]
    np.testing.assert_array_equal(codes[0], codes[1])
    np.testing.assert_array_equal(codes[1], codes[2])


@pytest.mark.parametrize("layers", [0, 1])
def test_codes_that_a_prior_writes_are_those_of_the_encoder(layers: int) -> None:
    """Of an encoder that reads ranks of nodes that are alike, too."""
    torch.manual_seed(0)
    encoder = {**CONFIG.encoder, "layers": layers}
    config = CONFIG.model_copy(update={"encoder": encoder, "code_size": 48})
    model = with_generic_weights(Autoencoder(config, ISOMER_SCHEMA)).eval()
    molecules = ["CCN", "c1ccccc1", "CC(C)(C)C", "CC(=O)O"]
    graphs = []
    for each in (try_sample(smiles, ISOMER_SCHEMA).graph for smiles in molecules):
        order = np.argsort(each.slot)
        graphs.append(OrderedGraph(each.nodes[order], each.edges[np.ix_(order, order)]))
    written = code_space(model).write(graphs)
    np.testing.assert_allclose(written, molae.embed(molecules, model), atol=1e-5)
