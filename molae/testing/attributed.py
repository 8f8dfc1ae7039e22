"""Graphs that are no molecules to test on: directed ones and others, with numbers on nodes and edges."""

from __future__ import annotations

from functools import lru_cache

import networkx as nx
import numpy as np

from molae.batch.schema import Schema
from molae.graphs.arrays import encode
from molae.graphs.convert import from_networkx
from molae.graphs.vocabulary import Number, Vocabulary
from molae.types import Graph

_VOCABULARY = Vocabulary(
    nodes=(("colour", ("blue", "red")),),
    edges=("kind", ("strong", "weak")),
    node_numbers=(Number(name="mass", centre=1.0, scale=2.0), Number(name="charge")),
    edge_numbers=(Number(name="length", centre=-1.0, scale=0.5),),
)
_MUTUAL = tuple((there, back) for there in (1, 2) for back in (1, 2))
_MOST = 16


def attributed_schema(directed: bool) -> Schema:
    """What the graphs of this module carry: labels and numbers, of nodes and edges."""
    update = {"directed": directed, "mutual": _MUTUAL if directed else ()}
    vocabulary = _VOCABULARY.model_copy(update=update)
    return Schema(
        node_channels=vocabulary.node_channels,
        edge_types=vocabulary.edge_types,
        max_nodes=_MOST,
        coordinates=False,
        labels=vocabulary,
    )


@lru_cache
def attributed_graphs(directed: bool) -> dict[str, Graph]:
    """Symmetric graphs, some of them so alike that refinement sees no difference, and random ones."""
    shapes: dict[str, nx.Graph] = {
        "one node": nx.empty_graph(1),
        "no edges": nx.empty_graph(4),
        "cycle": nx.cycle_graph(5),
        "two triangles": nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)),
        "cube": nx.hypercube_graph(3),
        "star": nx.star_graph(5),
    }
    if directed:
        shapes |= {name: nx.DiGraph(graph) for name, graph in shapes.items()} | {
            "directed cycle": nx.DiGraph([(0, 1), (1, 2), (2, 0)]),
            "two directed cycles": nx.DiGraph([(0, 1), (1, 2), (2, 0), (4, 3), (5, 4), (3, 5)]),
            "path": _path(),
            "tournament": nx.DiGraph(nx.paley_graph(11)),
            "circulant": nx.DiGraph([(i, (i + k) % 8) for i in range(8) for k in (1, 2)]),
        }
    plain = {name: _with_attributes(graph, None) for name, graph in shapes.items()}
    random = np.random.default_rng(0)
    drawn = {
        f"random {number}": _with_attributes(
            nx.gnp_random_graph(8, 0.3, seed=number, directed=directed), random
        )
        for number in range(6)
    }
    weighed = {f"{name} with numbers": _with_attributes(graph, random) for name, graph in shapes.items()}
    return {name: _encoded(graph, directed) for name, graph in {**plain, **weighed, **drawn}.items()}


@lru_cache
def attributed_pairs(directed: bool) -> dict[str, tuple[Graph, Graph]]:
    """Pairs of graphs that differ in a direction, or in one number, alone."""
    cycle = _with_attributes(nx.DiGraph(nx.cycle_graph(4)) if directed else nx.cycle_graph(4), None)
    heavy, longer = cycle.copy(), cycle.copy()
    heavy.nodes[2]["charge"] += 0.1
    longer.edges[1, 2]["length"] += 0.1
    pairs = {"a number of a node": (cycle, heavy), "a number of an edge": (cycle, longer)}
    if directed:
        path, sink = _path(), nx.DiGraph([(0, 1), (2, 1)])
        pairs["path and sink"] = (_with_attributes(path, None), _with_attributes(sink, None))
        source = nx.DiGraph([(1, 0), (1, 2)])
        pairs["source and sink"] = (_with_attributes(source, None), _with_attributes(sink, None))
        one_way = cycle.copy()
        one_way.remove_edge(0, 1)
        pairs["one way and both"] = (cycle, one_way)
    return {name: (_encoded(a, directed), _encoded(b, directed)) for name, (a, b) in pairs.items()}


def _path() -> nx.DiGraph:
    return nx.path_graph(3, create_using=nx.DiGraph)


def _with_attributes(graph: nx.Graph, random: np.random.Generator | None) -> nx.Graph:
    """A graph with attributes that are all alike, or drawn."""
    made = graph.copy()

    def number() -> float:
        return 0.25 if random is None else float(random.normal())

    def label(labels: tuple[str, ...]) -> str:
        return labels[0] if random is None else str(random.choice(labels))

    for node in made:
        made.nodes[node].update(colour=label(("blue", "red")), mass=number(), charge=number())
    for edge in made.edges:
        made.edges[edge].update(kind=label(("weak", "strong")), length=number())
    return made


def _encoded(graph: nx.Graph, directed: bool) -> Graph:
    schema = attributed_schema(directed)
    return encode(from_networkx(graph), schema.labels or Vocabulary(), schema.max_nodes)
