"""How well decoded graphs agree with their originals: exactness modulo isomorphism, and edge by edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import f1_score, roc_auc_score

from molae.graphs.order import order_nodes

NAN = float("nan")
FIGURES = ("exact_rate", "edge_nll", "edge_auc", "edge_accuracy", "edge_f1")


@dataclass(frozen=True)
class GraphReconstruction:
    """What one decoded graph shares with its original.

    Attributes:
        exact: Whether the two are isomorphic, categories of nodes and edges and directions included.
        edge_probability: Probability that the decoder gives to an edge, in whatever direction, for every pair
            of nodes of the original, under the model's own permutation.
        edge_there: Whether there is an edge, in whatever direction, for the same pairs.
        errors: Errors of each continuous attribute over the nodes or edges of the original, in its unit,
            under the model's own permutation; they have no part in `exact`.
    """

    exact: bool
    edge_probability: Float[np.ndarray, " p"]
    edge_there: Int[np.ndarray, " p"]
    errors: Mapping[str, Float[np.ndarray, " v"]] = field(default_factory=dict)

    @property
    def edge_nll(self) -> float:
        """Binary cross-entropy of the edges, summed over the pairs, in nats."""
        chance = np.where(self.edge_there, self.edge_probability, 1 - self.edge_probability)
        return float(-np.log(np.maximum(chance, np.finfo(np.float64).tiny)).sum())


def isomorphic(
    nodes: Int[np.ndarray, "n k"],
    edges: Int[np.ndarray, "n n"],
    other_nodes: Int[np.ndarray, "m k"],
    other_edges: Int[np.ndarray, "m m"],
) -> bool:
    """Whether two graphs are the same up to the numbering of their nodes, with categories and directions."""
    if nodes.shape != other_nodes.shape or np.count_nonzero(edges) != np.count_nonzero(other_edges):
        return False
    return canonical_key(nodes, edges) == canonical_key(other_nodes, other_edges)


def canonical_key(nodes: Int[np.ndarray, "n k"], edges: Int[np.ndarray, "n n"]) -> bytes:
    """The same bytes for isomorphic graphs, categories included, and other bytes for others."""
    order = np.argsort(order_nodes(nodes, edges).slot)
    arrays = (np.array(nodes.shape), nodes[order], edges[np.ix_(order, order)])
    return b"".join(array.astype("<i8").tobytes() for array in arrays)


def summarise_graphs(reconstructions: Sequence[GraphReconstruction]) -> dict[str, float]:
    """Gathers the figures of the graph protocol.

    Args:
        reconstructions: One comparison for each graph.
    Returns:
        `count`; `exact_rate`; `edge_nll`, the mean over the graphs of the binary cross-entropy of their edges
        in nats (Winter et al. 2021, arXiv:2104.09856, give the same as NLL); `edge_auc`, the area under the
        ROC curve of the probabilities of edges, all pairs of all graphs together; `edge_accuracy`, the share
        of pairs on the right side of one half; `edge_f1`, the F1 score of the edges told so, all graphs
        together; and the root mean square error of each continuous attribute over all nodes or edges, in its
        unit, as `node_x_rmse` or `edge_x_rmse` for the attribute `x`. NaN where there is nothing to average.
    """
    if not reconstructions:
        return {"count": 0, **dict.fromkeys(FIGURES, NAN)}
    chance = np.concatenate([each.edge_probability for each in reconstructions])
    there = np.concatenate([each.edge_there for each in reconstructions])
    names = sorted({name for each in reconstructions for name in each.errors})
    errors = {
        name: np.concatenate([each.errors[name] for each in reconstructions if name in each.errors])
        for name in names
    }
    mixed = 0 < np.count_nonzero(there) < len(there)
    return {
        "count": len(reconstructions),
        "exact_rate": float(np.mean([each.exact for each in reconstructions])),
        "edge_nll": float(np.mean([each.edge_nll for each in reconstructions])),
        "edge_auc": float(roc_auc_score(there, chance)) if mixed else NAN,
        "edge_accuracy": float(np.mean((chance > 0.5) == there)) if len(there) else NAN,
        "edge_f1": float(f1_score(there, chance > 0.5)) if there.any() else NAN,
        **{
            f"{name}_rmse": float(np.sqrt(np.mean(np.square(off)))) if len(off) else NAN
            for name, off in errors.items()
        },
    }
