"""Graphs that are hard to order."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
from hypothesis import strategies as st

SHIFTS = ((1, 0), (0, 1), (1, 1))


def shrikhande() -> nx.Graph:
    """Strongly regular with the parameters of the rook's graph, and another graph."""
    cells = [(a, b) for a in range(4) for b in range(4)]
    return nx.Graph(((a, b), ((a + i) % 4, (b + j) % 4)) for a, b in cells for i, j in SHIFTS)


def rook() -> nx.Graph:
    return nx.line_graph(nx.complete_bipartite_graph(4, 4))


def cai_furer_immerman(base: nx.Graph, twisted: bool) -> nx.Graph:
    """Pairs of graphs that no refinement of colours tells apart."""
    graph = nx.Graph()
    twist = frozenset(next(iter(base.edges))) if twisted else None
    for node in base:
        around = [frozenset((node, other)) for other in base[node]]
        for count in range(0, len(around) + 1, 2):
            for chosen in combinations(around, count):
                for edge in around:
                    graph.add_edge((node, frozenset(chosen)), (node, edge, edge in chosen))
    for i, j in base.edges:
        edge = frozenset((i, j))
        for bit in (False, True):
            graph.add_edge((i, edge, bit), (j, edge, bit != (edge == twist)))
    return graph


SYMMETRIC: dict[str, nx.Graph] = {
    "one node": nx.empty_graph(1),
    "no edges": nx.empty_graph(100),
    "complete": nx.complete_graph(100),
    "path": nx.path_graph(100),
    "cycle": nx.cycle_graph(99),
    "star": nx.star_graph(60),
    "binary tree": nx.balanced_tree(2, 5),
    "ladder": nx.circular_ladder_graph(20),
    "Möbius ladder": nx.circulant_graph(40, [1, 20]),
    "triangles": nx.disjoint_union_all([nx.cycle_graph(3)] * 12),
    "two lengths of cycles": nx.disjoint_union_all([nx.cycle_graph(k) for k in (3, 4, 5, 6, 3)]),
    "grid": nx.grid_2d_graph(7, 8),
    "hypercube": nx.hypercube_graph(6),
    "Petersen": nx.petersen_graph(),
    "rook": rook(),
    "Shrikhande": shrikhande(),
    "Paley": nx.Graph(nx.paley_graph(61)),
    "Frucht": nx.frucht_graph(),
    "CFI": cai_furer_immerman(nx.complete_graph(4), False),
    "twisted CFI": cai_furer_immerman(nx.complete_graph(4), True),
}

INDISTINCT = [
    ("rook", "Shrikhande"),
    ("CFI", "twisted CFI"),
    ("ladder", "Möbius ladder"),
]


def arrays(graph: nx.Graph) -> tuple[np.ndarray, np.ndarray]:
    """Categories, all 0, and the adjacency matrix."""
    return np.zeros((len(graph), 1), dtype=np.int64), nx.to_numpy_array(graph, dtype=np.int64, weight=None)


@st.composite
def random_graphs(draw: st.DrawFn, most: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Random, regular, preferentially attached graphs and trees, with and without categories."""
    size = draw(st.integers(1, most))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    kind = draw(st.sampled_from(["sparse", "dense", "regular", "tree", "attached"]))
    if kind == "regular" and size > 4:
        graph = nx.random_regular_graph(4 if size > 8 else 2, size, seed=seed)
    elif kind == "attached" and size > 4:
        graph = nx.barabasi_albert_graph(size, 4, seed=seed)
    elif kind == "tree":
        graph = nx.random_labeled_tree(size, seed=seed)
    else:
        graph = nx.gnp_random_graph(size, 0.5 if kind == "dense" else 1.5 / size, seed=seed)
    nodes, edges = arrays(graph)
    nodes = random.integers(draw(st.integers(1, 3)), size=(size, 2))
    kinds = np.triu(random.integers(1, 1 + draw(st.integers(1, 4)), size=(size, size)), 1)
    return nodes, edges * (kinds + kinds.T)
