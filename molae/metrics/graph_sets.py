"""How alike two sets of graphs are: maximum mean discrepancies of three statistics of their structure.

The statistics, kernels and widths are those of You et al. 2018 (arXiv:1802.08773), whose figures most later
papers give: distributions of degrees and of clustering coefficients compared by the earth mover's distance,
and mean counts of the orbits of nodes in subgraphs of up to four nodes by the Euclidean one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist

CLUSTERING_BINS = 100
DEGREE_WIDTH, CLUSTERING_WIDTH, ORBIT_WIDTH = 1.0, 0.1, 30.0

#: Times that each of the 15 orbits occurs in its subgraph: edge, path of three nodes, triangle, path of four,
#: star, square, triangle with a tail, square with a diagonal, all six edges.
_ORBIT_TIMES = ((2,), (2, 1), (3,), (2, 2), (3, 1), (4,), (1, 2, 1), (2, 2), (4,))


def compare_sets(
    first: Sequence[Int[np.ndarray, "n n"]], second: Sequence[Int[np.ndarray, "n n"]]
) -> dict[str, float]:
    """Compares two sets of graphs.

    Args:
        first: Symmetric adjacency matrices of graphs with at least one node; any other number than 0 is an
            edge. Of directed graphs, what is left of them without directions (see `molae.types.Graph.edges`).
        second: Likewise.
    Returns:
        `degree_mmd`, `clustering_mmd` and `orbit_mmd`, squared and biased, as the papers give them: 0 for
        equal sets.
    Raises:
        ValueError: If a set is empty.
    """
    if not first or not second:
        raise ValueError(f"expected two sets of graphs, got {len(first)} and {len(second)}")
    one, other = ([(graph != 0).astype(np.int64) for graph in graphs] for graphs in (first, second))
    most = max(map(len, one + other))

    def mmd(statistic: Callable[[np.ndarray], np.ndarray], metric: str, width: float) -> float:
        first, second = (np.stack([statistic(graph) for graph in graphs]) for graphs in (one, other))
        return _mmd(first, second, metric, width)

    # In one dimension the earth mover's distance is the sum of the differences of cumulated histograms.
    return {
        "degree_mmd": mmd(lambda graph: _degrees(graph, most).cumsum(), "cityblock", DEGREE_WIDTH),
        "clustering_mmd": mmd(
            lambda graph: _clustering(graph).cumsum() / CLUSTERING_BINS, "cityblock", CLUSTERING_WIDTH
        ),
        "orbit_mmd": mmd(orbit_counts, "euclidean", ORBIT_WIDTH),
    }


def orbit_counts(graph: Int[np.ndarray, "n n"]) -> Float[np.ndarray, " 15"]:
    """How often a node lies in each of the 15 orbits of connected subgraphs of up to four nodes, on average.

    The orbits are in the order of Pržulj 2007 (doi:10.1093/bioinformatics/btl301). Subgraphs are induced, and
    counted by way of those that need not be.

    Args:
        graph: Adjacency matrix of 0 and 1.
    Returns:
        The mean over the nodes of their counts.
    """
    counts = _subgraph_counts(graph)
    return np.concatenate(
        [np.array(times) * count for times, count in zip(_ORBIT_TIMES, counts, strict=True)]
    ) / len(graph)


def _subgraph_counts(graph: Int[np.ndarray, "n n"]) -> list[int]:
    """Numbers of the nine connected induced subgraphs, in the order of `_ORBIT_TIMES`."""
    degree = graph.sum(1)
    common = graph @ graph
    np.fill_diagonal(common, 0)
    on_edge = common * graph
    triangles = int(on_edge.sum()) // 6
    full = _count_complete(graph)
    # Of each kind first all, then less those that lie in larger kinds.
    diagonal = int(_choose(np.triu(on_edge), 2).sum()) - 6 * full
    square = int(_choose(np.triu(common), 2).sum()) // 2 - diagonal - 3 * full
    tailed = int((on_edge.sum(1) // 2 * (degree - 2)).sum()) - 4 * diagonal - 12 * full
    star = int(_choose(degree, 3).sum()) - tailed - 2 * diagonal - 4 * full
    ends = degree - 1
    path = int(ends @ graph @ ends) // 2 - 3 * triangles
    path -= 4 * square + 2 * tailed + 6 * diagonal + 12 * full
    short = int(_choose(degree, 2).sum()) - 3 * triangles
    return [int(degree.sum()) // 2, short, triangles, path, star, square, tailed, diagonal, full]


def _count_complete(graph: Int[np.ndarray, "n n"]) -> int:
    """Number of sets of four nodes with all six edges."""
    sixfold = 0
    for i, j in np.argwhere(np.triu(graph)):
        near = np.flatnonzero(graph[i] & graph[j])
        sixfold += int(graph[np.ix_(near, near)].sum()) // 2
    return sixfold // 6


def _choose(n: np.ndarray, k: int) -> np.ndarray:
    return n * (n - 1) // 2 if k == 2 else n * (n - 1) * (n - 2) // 6


def _degrees(graph: Int[np.ndarray, "n n"], most: int) -> Float[np.ndarray, " m"]:
    return np.bincount(graph.sum(1), minlength=most) / len(graph)


def _clustering(graph: Int[np.ndarray, "n n"]) -> Float[np.ndarray, " bins"]:
    """Histogram of the share of the pairs of a node's neighbours that are joined."""
    degree = graph.sum(1)
    triangles = ((graph @ graph) * graph).sum(1)
    share = triangles / np.maximum(degree * (degree - 1), 1)
    return np.histogram(share, bins=CLUSTERING_BINS, range=(0, 1))[0] / len(graph)


def _mmd(first: np.ndarray, second: np.ndarray, metric: str, width: float) -> float:
    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-(cdist(a, b, metric) ** 2) / (2 * width**2)).mean())

    return mean(first, first) + mean(second, second) - 2 * mean(first, second)
