"""A model small enough to be trained in a few seconds to remember a few labelled graphs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import networkx as nx
import numpy as np
import torch

from molae.apps.pack import graph_schema
from molae.autoencoder import Autoencoder, AutoencoderConfig
from molae.batch.collate import collate
from molae.graphs.arrays import encode
from molae.graphs.convert import from_networkx
from molae.graphs.vocabulary import collect_vocabulary

CONFIG = AutoencoderConfig(
    code_size=16,
    encoder={"name": "slots", "width": 16, "head_width": 64, "head_depth": 1},
    decoder={"name": "slots", "width": 16, "pair_width": 16, "head_width": 64, "head_depth": 1},
)
DIRECTED_CONFIG = AutoencoderConfig(
    code_size=64,
    encoder={
        **{"name": "slots", "width": 32, "head_width": 64, "head_depth": 1},
        "summary": {"size": 8, "width": 16, "layers": 2},
    },
    decoder={"name": "slots", "width": 32, "pair_width": 16, "head_width": 64, "head_depth": 1},
)


def known_graphs() -> list[nx.Graph]:
    """What it knows by heart: a few shapes, with colours and kinds of edges by the number of the node."""
    shapes = [nx.path_graph(4), nx.cycle_graph(5), nx.star_graph(4), nx.complete_graph(4), nx.empty_graph(3)]
    shapes += [nx.gnp_random_graph(6, 0.5, seed=seed) for seed in range(3)]
    for graph in shapes:
        nx.set_node_attributes(graph, {node: "red" if node % 2 else "blue" for node in graph}, "colour")
        nx.set_edge_attributes(graph, {(i, j): 3 + (i + j) % 2 for i, j in graph.edges}, "kind")
    return shapes


@cache
def small_graph_model() -> Autoencoder:
    """Trains the model, once in a process."""
    return _trained(known_graphs(), CONFIG, 200)


def directed_graphs() -> list[nx.DiGraph]:
    """Directed graphs with two numbers on every node and one on every edge: paths and cycles that differ in
    directions alone, and random ones."""
    shapes = [[(0, 1), (1, 2)], [(0, 1), (2, 1)], [(0, 1), (1, 2), (2, 0)], [(0, 1), (1, 0), (1, 2)]]
    graphs = [nx.DiGraph(edges) for edges in shapes]
    graphs += [nx.gnp_random_graph(6, 0.3, seed=seed, directed=True) for seed in range(4)]
    random = np.random.default_rng(0)
    for graph in graphs:
        for node in graph:
            graph.nodes[node].update(mass=float(random.normal(50, 10)), charge=float(random.normal()))
        for edge in graph.edges:
            graph.edges[edge]["length"] = float(random.uniform(1, 2))
    return graphs


@cache
def directed_model() -> Autoencoder:
    """A model that remembers `directed_graphs`, trained once in a process."""
    return _trained(directed_graphs(), DIRECTED_CONFIG, 150)


def _trained(known: list[nx.Graph], config: AutoencoderConfig, steps: int) -> Autoencoder:
    graphs = [from_networkx(graph) for graph in known]
    vocabulary = collect_vocabulary(graphs)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Autoencoder(config, graph_schema(vocabulary, 8)).train()
        batch = collate([encode(graph, vocabulary, 8) for graph in graphs])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad()
            model.loss(batch)["loss"].backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def write_tu_folder(folder: Path, graphs: list[nx.Graph]) -> Path:
    """Writes graphs in the form of the TUDataset collection, their number of nodes as the target."""
    folder.mkdir()
    lines: dict[str, list[str]] = {
        name: [] for name in ("A", "graph_indicator", "node_labels", "graph_labels")
    }
    start = 1
    for number, graph in enumerate(graphs, start=1):
        for i, j in graph.edges:
            lines["A"] += [f"{start + i}, {start + j}", f"{start + j}, {start + i}"]
        lines["graph_indicator"] += [str(number)] * len(graph)
        lines["node_labels"] += [str(int(graph.nodes[node]["colour"] == "red")) for node in graph]
        lines["graph_labels"].append(str(len(graph)))
        start += len(graph)
    for name, text in lines.items():
        (folder / f"{folder.name}_{name}.txt").write_text("\n".join(text) + "\n")
    return folder
