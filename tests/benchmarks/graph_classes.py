"""What codes tell of the class of a graph: support vector machines on codes, beside a graph kernel.

    python tests/benchmarks/graph_classes.py graphs/MUTAG.npz --max-nodes 28 --steps 3000
    python tests/benchmarks/graph_classes.py random --max-nodes 20

An autoencoder is trained on the graphs of a set, without their classes; machines are then fitted to the codes
in ten stratified folds, with the penalty chosen within the training part of each. The kernel of Weisfeiler
and Lehman (Shervashidze et al. 2011) sees the same folds. Graphs that are too large for the model have no
code: they are put into the commonest class, and counted. The first quarter of a code is its summary, which is
taught the statistics of the training graphs (`molae.graphs.statistics`). Input: NPZ files with `num_nodes`,
`num_edges`, `edges`, `graph_labels` and, where the set has them, `node_labels`, graph after graph.

`random` stands for 29 classes of random graphs with 20 nodes: nine families with two to four settings each,
as in the code of Winter et al. 2021 (arXiv:2104.09856; figures there: 0.83 for codes, 0.75 for InfoGraph,
0.73 for the kernel), drawn from seeds here. The autoencoder is trained on ten times as many others of these
classes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import torch
from random_graphs import draw_classes
from report import parser, publish
from scipy.sparse import coo_array
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from molae.apps.embed import embed
from molae.apps.graphs import pack_graphs
from molae.training import parse_config, train
from molae.training.config import read_config

CONFIG = Path(__file__).parents[2] / "data" / "configs" / "any-graph.toml"
PENALTIES = [10.0**power for power in range(-3, 4)]
# A linear machine does not converge with higher ones where no plane parts the classes.
LOW_PENALTIES = [penalty for penalty in PENALTIES if penalty <= 1]
ROUNDS = 4


def read(path: Path) -> tuple[list[nx.Graph], np.ndarray]:
    """The graphs of a file, labels of nodes as their attribute `label`, and their classes."""
    held = np.load(path)
    nodes, edges = (np.concatenate([[0], np.cumsum(held[name])]) for name in ("num_nodes", "num_edges"))
    graphs = []
    for i, size in enumerate(held["num_nodes"]):
        graph = nx.empty_graph(int(size))
        graph.add_edges_from(held["edges"][edges[i] : edges[i + 1]].tolist())
        if "node_labels" in held:
            labels = held["node_labels"][nodes[i] : nodes[i + 1]].tolist()
            nx.set_node_attributes(graph, dict(enumerate(labels)), "label")
        graphs.append(graph)
    return graphs, held["graph_labels"]


def weisfeiler_lehman(graphs: Sequence[nx.Graph]) -> np.ndarray:
    """Normalised kernel matrix of the numbers of nodes of each colour in every round of refinement."""
    colours = [[graph.nodes[node].get("label", 0) for node in graph] for graph in graphs]
    names: dict[object, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    for round_ in range(ROUNDS + 1):
        found = []
        for row, graph in enumerate(graphs):
            old = colours[row]
            around = [(old[i], *sorted(old[j] for j in graph[i])) if round_ else (old[i],) for i in graph]
            new = [names.setdefault((round_, key), len(names)) for key in around]
            rows += [row] * len(new)
            columns += new
            found.append(new)
        colours = found
    counts = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(graphs), len(names))).tocsr()
    kernel = (counts @ counts.T).toarray()
    length = np.sqrt(kernel.diagonal())
    return kernel / np.outer(length, length)


def cross_validate(features: np.ndarray, classes: np.ndarray, kind: str, seeds: int) -> list[float]:
    """Accuracies in ten folds, drawn anew with each seed; of a row without features the commonest class is
    told."""
    return [score for seed in range(seeds) for score in _folds(features, classes, kind, seed)]


def _folds(features: np.ndarray, classes: np.ndarray, kind: str, seed: int) -> list[float]:
    scores = []
    for train_rows, test_rows in StratifiedKFold(10, shuffle=True, random_state=seed).split(
        features, classes
    ):
        known = np.isfinite(features).all(1)
        fitted, told = train_rows[known[train_rows]], test_rows[known[test_rows]]
        common = DummyClassifier().fit(classes[train_rows][:, None], classes[train_rows])
        guess = np.array(common.predict(classes[test_rows][:, None]))
        if kind == "kernel":
            machine = GridSearchCV(SVC(kernel="precomputed"), {"C": PENALTIES}, cv=5)
            fit, test = features[np.ix_(fitted, fitted)], features[np.ix_(told, fitted)]
        else:
            linear = kind == "linear"
            machine = LinearSVC(dual=False, max_iter=10_000) if linear else SVC()
            grid = {f"{type(machine).__name__.lower()}__C": LOW_PENALTIES if linear else PENALTIES}
            machine = GridSearchCV(make_pipeline(StandardScaler(), machine), grid, cv=5)
            fit, test = features[fitted], features[told]
        guess[known[test_rows]] = machine.fit(fit, classes[fitted]).predict(test)
        scores.append(float((guess == classes[test_rows]).mean()))
    return scores


def main(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    if arguments.data == Path("random"):
        graphs, classes = draw_classes(1, seed=1)
        training, _ = draw_classes(10, seed=0)
    else:
        graphs, classes = read(arguments.data)
        training = graphs
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / f"{arguments.data.stem}-{arguments.max_nodes}.safetensors"
    pack_graphs(training, packed, max_nodes=arguments.max_nodes, descriptors=True)
    settings = read_config(CONFIG).model_dump(mode="json")
    settings["model"]["code_size"] = arguments.code_size
    summary = arguments.code_size // 4
    settings["model"]["encoder"]["summary"] = {"size": summary}
    settings["training"] |= {"steps": arguments.steps, "validate_every": max(arguments.steps // 4, 1)}
    settings["training"]["validation_size"] = max(len(training) // 20, 1)
    output = folder / f"{arguments.data.stem}-{arguments.code_size}-{arguments.steps}"
    wall = time.monotonic()
    if not (output / "last").exists():
        train(parse_config(settings), packed, output)
    minutes = (time.monotonic() - wall) / 60
    codes = embed(graphs, output / "last", device="cpu")
    features = {
        "summary, linear": (codes[:, :summary], "linear"),
        "summary, rbf": (codes[:, :summary], "rbf"),
        "whole code, linear": (codes, "linear"),
        "whole code, rbf": (codes, "rbf"),
        "Weisfeiler-Lehman kernel": (weisfeiler_lehman(graphs), "kernel"),
    }
    rows = []
    for name, (values, kind) in features.items():
        scores = cross_validate(values, classes, kind, arguments.seeds)
        rows.append(
            {"features": name, "accuracy": float(np.mean(scores)), "over_folds": float(np.std(scores))}
        )
    without = int(np.isnan(codes).any(axis=1).sum())
    publish(rows, arguments, without_code=without, graphs=len(graphs), minutes=minutes)
    print(f"{without} of {len(graphs)} graphs have no code; {minutes:.1f} minutes of training")


if __name__ == "__main__":
    made = parser(__doc__)
    made.add_argument("data", type=Path, help="NPZ file, or `random`")
    made.add_argument("--code-size", type=int, default=256)
    made.add_argument("--max-nodes", type=int, default=60)
    made.add_argument("--steps", type=int, default=3000)
    made.add_argument("--seeds", type=int, default=1, help="how often the ten folds are drawn")
    made.add_argument("--folder", type=Path, default=Path("graph-classes"), help="folder for what is made")
    main(made.parse_args())
