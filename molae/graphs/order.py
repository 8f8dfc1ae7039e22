"""A canonical order of the nodes of any graph, without positions to break its ties.

Colour refinement sorts the nodes into cells. Where every cell holds one node that is the order. Where cells
hold more, their nodes need not be alike: in a regular graph all nodes share a cell, whatever symmetry there
is. Singling out any one of them would make the order depend on the numbering. The rest is therefore left to
BLISS (Junttila and Kaski 2007, doi:10.1137/1.9781611972870.13), as igraph ships it, which compares all ways
of singling out nodes that symmetry does not make equal.

Numbers of nodes and edges come after the graph: what it leaves in one cell is sorted by them. Those that
differ by less than `TOLERANCE` count as equal first, so that the graph around and the other numbers decide
before rounding does; then all that differ are different.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from molae.errors import MolaeError
from molae.graphs.refine import neighbourhoods, rank, rank_within, refine, walk

TOLERANCE = 1e-3
"""Numbers nearer to one another than this, in the standard deviations of the data set, count as equal until
nothing else tells two nodes apart."""


class NodeOrder(NamedTuple):
    """The canonical order of one graph.

    Attributes:
        slot: Slot of each node.
        tie: Rank of each node among the nodes that colour refinement cannot tell from it.
    """

    slot: Int[np.ndarray, " n"]
    tie: Int[np.ndarray, " n"]


def order_nodes(
    nodes: Int[np.ndarray, "n k"],
    edges: Int[np.ndarray, "n n"],
    numbers: Float[np.ndarray, "n q"] | None = None,
    edge_numbers: Float[np.ndarray, "n n p"] | None = None,
) -> NodeOrder:
    """Orders the nodes of a graph so that isomorphic graphs, in slot order, have the same arrays.

    Args:
        nodes: Category of each node in each channel.
        edges: Category of each pair as seen from the first of the two nodes; 0 where there is no edge, and on
            the diagonal. Symmetric for undirected graphs.
        numbers: Numbers of the nodes, in standard deviations.
        edge_numbers: Numbers of each pair as seen from the first, likewise; NaN where there is none.
    Returns:
        The order. On a symmetric graph it is one of those that the symmetry makes equal.
    Raises:
        MolaeError: If igraph is needed and not installed.
    """
    neighbours, labels = neighbourhoods(edges)
    cells = ranks = _cells(nodes, neighbours, labels)
    kinds = edges
    for tolerance in (TOLERANCE, 0.0):
        if (numbers is None and edge_numbers is None) or _all_differ(ranks):
            break
        if numbers is not None:
            ranks = rank(list(zip(ranks.tolist(), _groups(numbers, tolerance).tolist(), strict=True)))
        if edge_numbers is not None:
            kinds = _finer_kinds(edges, edge_numbers, tolerance)
        ranks = refine(ranks, *neighbourhoods(kinds))
    if not _all_differ(ranks):
        ranks = rank(list(zip(ranks.tolist(), _canonical_labels(ranks, kinds).tolist(), strict=True)))
    slot = np.empty(len(nodes), dtype=np.int64)
    slot[walk(ranks, neighbours, np.zeros(len(nodes), dtype=bool))] = np.arange(len(nodes))
    return NodeOrder(slot, rank_within(cells, slot))


def rank_alike(
    nodes: Int[np.ndarray, "n k"], edges: Int[np.ndarray, "n n"], slot: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """Rank of each node, by its slot, among the nodes that colour refinement cannot tell from it."""
    return rank_within(_cells(nodes, *neighbourhoods(edges)), slot)


def _cells(
    nodes: Int[np.ndarray, "n k"], neighbours: list[np.ndarray], labels: list[tuple[int, ...]]
) -> Int[np.ndarray, " n"]:
    start = [(len(near), *categories) for near, categories in zip(neighbours, nodes.tolist(), strict=True)]
    return refine(rank(start), neighbours, labels)


def _all_differ(ranks: Int[np.ndarray, " n"]) -> bool:
    return len(np.unique(ranks)) == len(ranks)


def _groups(values: Float[np.ndarray, "r q"], tolerance: float) -> Int[np.ndarray, "r q"]:
    """Numbers the values of each column, alike where they are joined by steps of at most `tolerance`; what is
    not a number comes first."""
    values = np.where(np.isnan(values), -np.inf, values)
    order = np.argsort(values, axis=0, kind="stable")
    with np.errstate(invalid="ignore"):
        steps = np.diff(np.take_along_axis(values, order, axis=0), axis=0) > tolerance
    groups = np.empty(values.shape, dtype=np.int64)
    below = np.concatenate([np.zeros((min(len(values), 1), values.shape[1]), dtype=np.int64), steps])
    np.put_along_axis(groups, order, below.cumsum(axis=0), axis=0)
    return groups


def _finer_kinds(
    edges: Int[np.ndarray, "n n"], numbers: Float[np.ndarray, "n n p"], tolerance: float
) -> Int[np.ndarray, "n n"]:
    """Categories of pairs that tell their numbers too."""
    kinds = np.zeros_like(edges)
    i, j = np.nonzero(edges)
    keys = np.column_stack([edges[i, j], _groups(numbers[i, j], tolerance)])
    kinds[i, j] = 1 + np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    return kinds


def _canonical_labels(cells: Int[np.ndarray, " n"], edges: Int[np.ndarray, "n n"]) -> Int[np.ndarray, " n"]:
    """Different labels for all nodes, by which isomorphic graphs come out equal.

    BLISS knows colours of nodes, neither colours nor directions of edges. Categories of edges become layers:
    every node has a copy in each layer, the copies joined to a path, and an edge is in the layers of the bits
    of its category.

    Where pairs look different from their two ends, every bit has a layer of first ends and one of second
    ends, and the copies of a node are joined to one more copy instead. In a path, a copy in a layer of first
    ends would be joined to one of second ends just as by an edge of the graph.
    """
    try:
        from igraph import Graph as Coloured
    except ImportError as error:
        raise MolaeError(
            "ordering a graph whose nodes are alike needs igraph: pip install 'molae[graphs]'"
        ) from error
    n, bits = len(cells), int(edges.max(initial=0)).bit_length() or 1
    nodes = np.arange(n)
    if np.array_equal(edges, edges.T):
        layers = bits
        pairs = [np.argwhere(np.triu(edges >> bit & 1, 1)) + bit * n for bit in range(bits)]
        pairs += [
            np.stack([nodes + layer * n, nodes + (layer + 1) * n], axis=1) for layer in range(layers - 1)
        ]
    else:
        layers = 1 + 2 * bits
        pairs = [
            np.argwhere(edges >> bit & 1) + np.array([1 + 2 * bit, 2 + 2 * bit]) * n for bit in range(bits)
        ]
        pairs += [np.stack([nodes, nodes + layer * n], axis=1) for layer in range(1, layers)]
    graph = Coloured(n=n * layers, edges=np.concatenate(pairs).tolist())
    graph.vs["node"] = range(n * layers)
    colours = [int(cell) + n * layer for layer in range(layers) for cell in cells]
    # By an attribute, since versions of igraph differ in which way round they write a permutation.
    canonical = graph.permute_vertices(graph.canonical_permutation(color=colours))
    return np.argsort(canonical.vs["node"])[:n]
