"""A canonical order of the nodes of any graph, without positions to break its ties.

Colour refinement sorts the nodes into cells. Where every cell holds one node that is the order. Where cells
hold more, their nodes need not be alike: in a regular graph all nodes share a cell, whatever symmetry there
is. Singling out any one of them would make the order depend on the numbering. The rest is therefore left to
BLISS (Junttila and Kaski 2007, doi:10.1137/1.9781611972870.13), as igraph ships it, which compares all ways
of singling out nodes that symmetry does not make equal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from molae.errors import MolaeError
from molae.graphs.refine import neighbourhoods, rank, rank_within, refine, walk


class NodeOrder(NamedTuple):
    """The canonical order of one graph.

    Attributes:
        slot: Slot of each node.
        tie: Rank of each node among the nodes that colour refinement cannot tell from it.
    """

    slot: Int[np.ndarray, " n"]
    tie: Int[np.ndarray, " n"]


def order_nodes(nodes: Int[np.ndarray, "n k"], edges: Int[np.ndarray, "n n"]) -> NodeOrder:
    """Orders the nodes of a graph so that isomorphic graphs, in slot order, have the same arrays.

    Args:
        nodes: Category of each node in each channel.
        edges: Symmetric matrix of edge categories; 0 where there is no edge, and on the diagonal.
    Returns:
        The order. On a symmetric graph it is one of those that the symmetry makes equal.
    Raises:
        MolaeError: If igraph is needed and not installed.
    """
    neighbours, labels = neighbourhoods(edges)
    start = [(len(near), *categories) for near, categories in zip(neighbours, nodes.tolist(), strict=True)]
    cells = refine(rank(start), neighbours, labels)
    ranks = cells
    if len(np.unique(cells)) < len(cells):
        ranks = rank(list(zip(cells.tolist(), _canonical_labels(cells, edges).tolist(), strict=True)))
    slot = np.empty(len(nodes), dtype=np.int64)
    slot[walk(ranks, neighbours, np.zeros(len(nodes), dtype=bool))] = np.arange(len(nodes))
    return NodeOrder(slot, rank_within(cells, slot))


def _canonical_labels(cells: Int[np.ndarray, " n"], edges: Int[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """Different labels for all nodes, by which isomorphic graphs come out equal.

    BLISS knows colours of nodes, not of edges. Categories of edges become layers: every node has a copy in
    each layer, the copies joined to a path, and an edge is in the layers of the bits of its category.
    """
    try:
        from igraph import Graph as Coloured
    except ImportError as error:
        raise MolaeError(
            "ordering a graph whose nodes are alike needs igraph: pip install 'molae[graphs]'"
        ) from error
    n, layers = len(cells), int(edges.max(initial=0)).bit_length() or 1
    pairs = [np.argwhere(np.triu(edges >> layer & 1, 1)) + layer * n for layer in range(layers)]
    copies = np.arange(n * (layers - 1))
    pairs.append(np.stack([copies, copies + n], axis=1))
    graph = Coloured(n=n * layers, edges=np.concatenate(pairs).tolist())
    graph.vs["node"] = range(n * layers)
    colours = [int(cell) + n * layer for layer in range(layers) for cell in cells]
    # By an attribute, since versions of igraph differ in which way round they write a permutation.
    canonical = graph.permute_vertices(graph.canonical_permutation(color=colours))
    return np.argsort(canonical.vs["node"])[:n]
