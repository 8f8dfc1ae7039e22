"""Invariance of the code and equivariance of the reconstruction of a model, in float64.

Each molecule is turned and moved at random, its atoms renumbered, and featurised anew, so that the canonical
order is found again from the moved positions. Largest deviations over all molecules and trials:

    code           of a number of the code
    categories     molecules of which a decoded node, edge or size differs: their number, which must be 0
    positions      of a coordinate of h · (g · x̂), h the motion, from g' · x̂' found after it, in Å; over the
                   molecules that are not collinear and whose graph has no automorphism
    distances      of the distance between a decoded atom, moved by the action, and an atom of the input, in
                   Å; over all molecules, modulo the automorphisms (a symmetric input leaves g open by one of
                   its symmetries, which moves x̂ but no such distance)
    mirror even/odd  of a number of the code from that of the mirror image, the odd part with its sign changed
    repeat         of a number of the code when the same input is encoded again
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from report import parser, publish
from scipy.spatial.distance import cdist
from torch import Tensor

from molae.apps.loading import open_model
from molae.apps.molecules import as_source, try_read
from molae.autoencoder import Autoencoder
from molae.batch.collate import collate
from molae.chem.automorphisms import automorphisms
from molae.chem.featurise import ordered
from molae.errors import RowError
from molae.groups import Euclidean, SpecialOrthogonal, Translations
from molae.groups.euclidean import RigidMotion
from molae.io import open_rows
from molae.types import Graph

CHUNK = 64


class Case(NamedTuple):
    """A molecule's graph, and the numberings that its symmetry allows."""

    graph: Graph
    automorphisms: np.ndarray

    @property
    def is_asymmetric(self) -> bool:
        """Whether nothing but the identity leaves the molecule as it is."""
        pos = positions(self.graph)
        collinear = np.linalg.matrix_rank(pos - pos.mean(0), tol=1e-2) < 2
        return len(self.automorphisms) == 1 and not collinear


class Outcome(NamedTuple):
    """Of a batch: codes, decoded categories, and reconstructions in the order and pose of the input."""

    code: Tensor
    categories: Tensor
    pos: Tensor


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    model = open_model(arguments.model, "cpu").double()
    cases, failed = read(model, arguments)
    random = np.random.default_rng(arguments.seed)
    worst: dict[str, float] = {}
    for start in range(0, len(cases), CHUNK):
        chunk = cases[start : start + CHUNK]
        once = run(model, [case.graph for case in chunk])
        found = mirror_deviations(model, chunk, once)
        again = run(model, [case.graph for case in chunk])
        found["repeat"] = float((again.code - once.code).abs().max())
        for _ in range(arguments.trials):
            merge(found, deviations(model, chunk, once, random))
        merge(worst, found)
    rows = [{"what": name, "largest": f"{value:.2e}"} for name, value in worst.items()]
    publish(rows, arguments, molecules=len(cases), not_read=failed)
    print(f"{len(cases)} molecules, {arguments.trials} trials each, {failed} not read")


def merge(worst: dict[str, float], found: dict[str, float]) -> None:
    """Takes new deviations in: the largest of each counts, but of molecules the number."""
    for name, value in found.items():
        before = worst.get(name, 0.0)
        worst[name] = before + value if name == "categories" else max(before, value)


def read(model: Autoencoder, arguments: argparse.Namespace) -> tuple[list[Case], int]:
    """The molecules of the input, up to a number, and how many rows before that could not be read."""
    cases: list[Case] = []
    failed = 0
    with open_rows(arguments.input, arguments.smiles_column) as reader:
        for row in (row for chunk in reader for row in chunk.rows):
            molecules = try_read(as_source(row), model.schema, seed=arguments.seed)
            if isinstance(molecules, RowError):
                failed += 1
                continue
            mol = molecules[0].mol
            cases.append(Case(molecules[0].graph, automorphisms(mol)))
            if len(cases) == arguments.limit:
                break
    return cases, failed


def deviations(
    model: Autoencoder, cases: Sequence[Case], once: Outcome, random: np.random.Generator
) -> dict[str, float]:
    """Compares the outcome with that of the same molecules renumbered, turned and moved."""
    seed = torch.Generator().manual_seed(int(random.integers(2**31)))
    motions = RigidMotion(
        SpecialOrthogonal().sample(len(cases), generator=seed, dtype=torch.float64),
        Translations(3, spread=5.0).sample(len(cases), generator=seed, dtype=torch.float64),
    )
    numberings = [random.permutation(len(case.graph)) for case in cases]
    graphs = [moved(*each) for each in zip(cases, numberings, *motions, strict=True)]
    again = run(model, graphs)
    expected = Euclidean(3).act(motions, once.pos)
    found = {
        "code": float((again.code - once.code).abs().max()),
        "categories": float((again.categories != once.categories).any(1).sum()),
        "positions": 0.0,
        "distances": 0.0,
    }
    for k, (case, numbering) in enumerate(zip(cases, numberings, strict=True)):
        back = np.argsort(numbering)
        pos, n = again.pos[k].numpy()[: len(back)][back], len(back)
        if case.is_asymmetric:
            merge(found, {"positions": float(np.abs(expected[k].numpy()[:n] - pos).max())})
        before = cdist(once.pos[k].numpy()[:n], positions(case.graph))
        after = cdist(pos, positions(graphs[k])[back])
        exchanged = before[case.automorphisms[:, :, None], case.automorphisms[:, None, :]]
        merge(found, {"distances": float(np.abs(exchanged - after).max((1, 2)).min())})
    return found


def moved(case: Case, numbering: np.ndarray, rotation: Tensor, translation: Tensor) -> Graph:
    """The molecule with atom `numbering[i]` as atom i, turned and moved, its canonical order found anew."""
    graph = case.graph
    pos = positions(graph) @ rotation.numpy().T + translation.numpy()
    return ordered(graph.nodes[numbering], graph.edges[np.ix_(numbering, numbering)], pos[numbering])


def positions(graph: Graph) -> np.ndarray:
    """Positions of a graph that has them, in Å."""
    if graph.pos is None:
        raise ValueError("the molecules have positions")
    return graph.pos


def mirror_deviations(model: Autoencoder, cases: Sequence[Case], once: Outcome) -> dict[str, float]:
    """Compares the code with that of the mirror images: same even part, odd part of the other sign."""
    graphs = [case.graph for case in cases]
    images = [ordered(graph.nodes, graph.edges, -positions(graph)) for graph in graphs]
    code, size = run(model, images).code, model.encoder.even_size
    return {
        "mirror even": _largest(code[:, :size] - once.code[:, :size]),
        "mirror odd": _largest(code[:, size:] + once.code[:, size:]),
    }


@torch.no_grad()
def run(model: Autoencoder, graphs: Sequence[Graph]) -> Outcome:
    """Encodes and decodes graphs as they lie."""
    batch = collate(graphs, torch.float64)
    encoding, decoded, action = model.reconstruct(batch)
    if decoded.pos is None:
        raise ValueError("the model decodes no positions")
    slots = batch.mask.shape[1]
    chosen = [scores.argmax(-1) for scores in decoded.node_logits]
    edges = decoded.edge_logits.argmax(-1).flatten(1)
    categories = torch.cat([decoded.size_logits.argmax(-1, keepdim=True), *chosen, edges], dim=1)
    return Outcome(encoding.invariant, categories, action.positions(decoded.pos[:, :slots]))


def _largest(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("model", help="name of a shipped model, or a model directory")
    made.add_argument("input", type=Path, help="file of molecules, in any format that molae reads")
    made.add_argument("--limit", type=int, default=500, help="most molecules (default 500)")
    made.add_argument("--trials", type=int, default=3, help="random motions of each molecule (default 3)")
    made.add_argument("--smiles-column")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
