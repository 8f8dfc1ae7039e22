"""Random graphs that others have measured on, drawn from seeds: families, and 29 classes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np

LEAST, MOST = 12, 20
CLASS_SIZE = 20
PER_FAMILY = 256


def erdos_renyi(random: np.random.Generator) -> nx.Graph:
    return nx.gnp_random_graph(int(random.integers(LEAST, MOST + 1)), 0.5, seed=_seed(random))


def barabasi_albert(random: np.random.Generator) -> nx.Graph:
    return nx.barabasi_albert_graph(int(random.integers(LEAST, MOST + 1)), 4, seed=_seed(random))


def ego(random: np.random.Generator) -> nx.Graph:
    while True:
        size, chance = int(random.integers(20, 41)), float(random.uniform(0.2, 0.6))
        graph = nx.ego_graph(nx.gnp_random_graph(size, chance, seed=_seed(random)), 0)
        if LEAST <= len(graph) <= MOST:
            return graph


def community(random: np.random.Generator) -> nx.Graph:
    """Two dense halves with few edges between, both drawn anew every time."""
    return _joined([_seed(random), _seed(random)], random)


def community_published(random: np.random.Generator) -> nx.Graph:
    """The same as in the code of Satorras et al. 2021, whose halves of each size are always the same two."""
    return _joined([0, 1], random)


def dag(random: np.random.Generator) -> nx.DiGraph:
    """Linear structural equations on a directed acyclic graph: edges have a weight, nodes the value that
    their parents and noise give them."""
    size = int(random.integers(LEAST, MOST + 1))
    weights = np.triu(random.random((size, size)) < 0.2, 1) * random.normal(size=(size, size))
    values = np.zeros(size)
    for node in range(size):
        values[node] = values @ weights[:, node] + random.normal()
    graph = nx.DiGraph()
    for node in random.permutation(size).tolist():
        graph.add_node(node, value=float(values[node]))
    graph.add_edges_from((i, j, {"weight": float(weights[i, j])}) for i, j in np.argwhere(weights).tolist())
    return graph


FAMILIES: dict[str, Callable[[np.random.Generator], nx.Graph]] = {
    "er": erdos_renyi,
    "ba": barabasi_albert,
    "ego": ego,
    "community": community,
    "community-published": community_published,
    "dag": dag,
}


#: For each family of the classes its generator, and the parameters of each class.
CLASSES: dict[Callable[..., nx.Graph], list[dict[str, float]]] = {
    nx.gnp_random_graph: [{"p": 0.25}, {"p": 0.35}, {"p": 0.5}],
    nx.newman_watts_strogatz_graph: [{"k": k, "p": p} for k in (2, 5) for p in (0.25, 0.75)],
    nx.watts_strogatz_graph: [{"k": k, "p": p} for k in (2, 5) for p in (0.25, 0.75)],
    nx.random_regular_graph: [{"d": d} for d in (3, 4, 5, 6)],
    nx.barabasi_albert_graph: [{"m": m} for m in (1, 2, 3, 4)],
    nx.dual_barabasi_albert_graph: [{"m1": 2, "m2": 4, "p": 0.5}, {"m1": 2, "m2": 1, "p": 0.5}],
    nx.extended_barabasi_albert_graph: [{"m": m, "p": 0.5, "q": 0.25} for m in (1, 2, 4)],
    nx.powerlaw_cluster_graph: [{"m": m, "p": 0.5} for m in (2, 3, 4)],
    nx.random_geometric_graph: [{"radius": 1, "p": p} for p in (0.35, 0.55)],
}


def draw(family: str, count: int, seed: int) -> Iterator[nx.Graph]:
    """Graphs of a family, different ones for every seed."""
    random = np.random.default_rng(seed)
    return (FAMILIES[family](random) for _ in range(count))


def draw_classes(rounds: int, seed: int) -> tuple[list[nx.Graph], np.ndarray]:
    """Graphs of all classes with 20 nodes, and the number of the class of each.

    Every round has 256 graphs of each of the nine families, its classes in equal shares.
    """
    random = np.random.default_rng(seed)
    graphs: list[nx.Graph] = []
    classes: list[int] = []
    for generate, settings in CLASSES.items():
        for setting in settings:
            count = rounds * (PER_FAMILY // len(settings))
            number = classes[-1] + 1 if classes else 0
            classes += [number] * count
            graphs += [_bare(generate(n=CLASS_SIZE, **setting, seed=_seed(random))) for _ in range(count)]
    return graphs, np.array(classes)


def _joined(seeds: list[int], random: np.random.Generator) -> nx.Graph:
    sizes = random.integers(6, 11, size=2)
    halves = [nx.gnp_random_graph(int(size), 0.7, seed=seed) for size, seed in zip(sizes, seeds, strict=True)]
    graph = nx.disjoint_union_all(halves)
    first, second = range(sizes[0]), range(sizes[0], len(graph))
    between = [(i, j) for i in first for j in second if random.random() < 0.01]
    graph.add_edges_from(between or [(first[0], second[0])])
    return graph


def _bare(graph: nx.Graph) -> nx.Graph:
    """The graph alone, without positions that its generator may have left on the nodes."""
    bare = nx.empty_graph(len(graph))
    bare.add_edges_from(graph.edges)
    return bare


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**32))
