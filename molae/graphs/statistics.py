"""Numbers that describe the shape of a graph, whatever its labels and the directions of its edges: what a
summary of graphs can be taught."""

from __future__ import annotations

import networkx as nx
import numpy as np
from jaxtyping import Float, Int

_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
_WALKS = range(2, 9)

#: Names of the statistics, in their order.
STATISTICS = (
    *("nodes", "edges", "density", "components"),
    *("degree mean", "degree deviation", *(f"degree quantile {share}" for share in (0, *_SHARES, 1))),
    *("transitivity", "clustering mean", "clustering deviation", "assortativity"),
    *(f"return after {steps}" for steps in _WALKS),
    *(f"Laplacian quantile {share}" for share in _SHARES),
)


def graph_statistics(edges: Int[np.ndarray, "n n"]) -> Float[np.ndarray, " s"]:
    """Describes the shape of a graph.

    Args:
        edges: Category of each pair of nodes, 0 where there is no edge; directions are not looked at.
    Returns:
        `STATISTICS`: counts; mean, standard deviation and quantiles of the degrees; transitivity, clustering
        coefficients and the correlation of the degrees of neighbours; the mean chance of a random walk to be
        back after some steps; and quantiles of the eigenvalues of the normalised Laplacian. NaN for what is
        not defined.

    >>> triangle = 1 - np.eye(3, dtype=int)
    >>> dict(zip(STATISTICS, graph_statistics(triangle).tolist()))["transitivity"]
    1.0
    """
    connected = edges > 0
    n, degrees = len(connected), connected.sum(axis=1)
    if not n:
        return np.full(len(STATISTICS), np.nan)
    graph = nx.from_numpy_array(connected)
    clustering = np.array(list(nx.clustering(graph).values()))
    count = degrees.sum() / 2
    return np.array(
        [
            *(n, count, count / max(n * (n - 1) / 2, 1), nx.number_connected_components(graph)),
            *(degrees.mean(), degrees.std(), *np.quantile(degrees, (0, *_SHARES, 1))),
            *(
                nx.transitivity(graph),
                clustering.mean(),
                clustering.std(),
                _assortativity(connected, degrees),
            ),
            *_spectral(connected, degrees),
        ],
        dtype=np.float64,
    )


def _assortativity(connected: np.ndarray, degrees: np.ndarray) -> float:
    """Correlation of the degrees of neighbours (Newman 2002, doi:10.1103/PhysRevLett.89.208701)."""
    first, second = np.nonzero(connected)
    varies = len(first) > 0 and np.ptp(degrees[first]) > 0
    return float(np.corrcoef(degrees[first], degrees[second])[0, 1]) if varies else np.nan


def _spectral(connected: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Mean return chances, and quantiles of the eigenvalues; nodes without edges stay where they are."""
    scale = 1 / np.sqrt(np.maximum(degrees, 1))
    walk = np.linalg.eigvalsh(connected * np.outer(scale, scale) + np.diag(degrees == 0))
    returns = [np.mean(walk**steps) for steps in _WALKS]
    return np.array([*returns, *np.quantile(1 - walk, _SHARES)])
