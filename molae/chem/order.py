"""A canonical order of the nodes of a graph, ties broken one by one by its shape.

The graph alone orders its nodes up to its automorphisms: iterated colour refinement (Weisfeiler and Leman
1968) sorts them into cells. Nodes of one cell are then told apart by the positions: first by invariants of
SE(3) that differ by more than a tolerance, signed volumes among them, and where none differs, by singling out
one node and refining again. Refining after every choice keeps coupled choices consistent: in benzene, of the
6! orders that independent choices would give only the 12 that are rotations of each other can come out.

Only numpy is needed here, so that a packed data set can be ordered where RDKit is not installed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from molae.graphs.refine import neighbourhoods, rank, rank_within, refine, walk

#: Invariants that differ by less than this, in Å or Å³, count as tied. It lies above the noise of float32
#: coordinates and of geometries written to four decimals, so that an approximate symmetry is treated as one.
TOLERANCE = 2e-3
#: Below this, what is left of a difference is rounding of float64 arithmetic.
EXACT = 1e-9


@dataclass(frozen=True)
class Order:
    """The canonical order of one graph.

    Attributes:
        slot: Slot of each node.
        tie: Rank of each node among the nodes that colour refinement cannot tell from it.
        signed: Whether a signed invariant had a say, so that the mirror image may be ordered otherwise.
    """

    slot: Int[np.ndarray, " n"]
    tie: Int[np.ndarray, " n"]
    signed: bool


def canonical_order(
    nodes: Int[np.ndarray, "n k"],
    edges: Int[np.ndarray, "n n"],
    pos: Float[np.ndarray, "n 3"] | None,
    last: Bool[np.ndarray, " n"] | None = None,
) -> Order:
    """Orders the nodes of a graph so that renumbering, rotation and translation change nothing.

    Args:
        nodes: Category of each node in each channel.
        edges: Symmetric matrix of edge categories; 0 where there is no edge.
        pos: Positions in Å, or None; then ties are broken by refinement alone.
        last: Nodes that rank behind all others, such as hydrogens, which would otherwise begin the order
            wherever one is written out; None for no such nodes.
    Returns:
        The order. On a symmetric graph it is one of those that the symmetry makes equal.
    """
    neighbours, labels = neighbourhoods(edges)
    behind = np.zeros(len(nodes), dtype=bool) if last is None else last
    start = [(bool(behind[i]), len(near), *map(int, nodes[i])) for i, near in enumerate(neighbours)]
    cells = refine(rank(start), neighbours, labels)
    ranks, signed = cells, False
    while (cell := _first_tied(ranks)) is not None:
        ranks, used_sign = _split(ranks, cell, pos)
        signed |= used_sign
        ranks = refine(ranks, neighbours, labels)
    slot = np.empty(len(nodes), dtype=np.int64)
    slot[walk(ranks, neighbours, behind)] = np.arange(len(nodes))
    return Order(slot, rank_within(cells, slot), signed)


def _first_tied(ranks: Int[np.ndarray, " n"]) -> Int[np.ndarray, " c"] | None:
    """Nodes of the lowest cell that holds more than one, or None."""
    values, counts = np.unique(ranks, return_counts=True)
    tied = values[counts > 1]
    return np.flatnonzero(ranks == tied[0]) if len(tied) else None


def _split(
    ranks: Int[np.ndarray, " n"], cell: Int[np.ndarray, " c"], pos: Float[np.ndarray, "n 3"] | None
) -> tuple[Int[np.ndarray, " n"], bool]:
    """Splits one cell by the first invariant that differs within it, or singles out one of its nodes."""
    ranks = ranks.copy()
    unsigned, signed = _invariants(ranks, cell, pos)
    for values, is_signed in [(v, False) for v in unsigned] + [(v, True) for v in signed]:
        order = np.argsort(values, kind="stable")
        steps = np.diff(values[order]) > TOLERANCE
        if steps.any():
            ranks[cell[order]] += np.maximum.accumulate(
                np.concatenate([[0], np.where(steps, np.arange(1, len(cell)), 0)])
            )
            return ranks, is_signed
    first, used_sign = _least(unsigned, signed, len(cell))
    ranks[cell] += 1
    ranks[cell[first]] -= 1
    return ranks, used_sign


def _least(unsigned: list, signed: list, count: int) -> tuple[int, bool]:
    """The node of a tied cell with the least invariants, compared down to the rounding of float64."""
    left, used_sign = np.arange(count), False
    for values, is_signed in [(v, False) for v in unsigned] + [(v, True) for v in signed]:
        least = left[values[left] <= values[left].min() + EXACT]
        used_sign |= is_signed and len(least) < len(left)
        left = least
    return int(left[0]), used_sign


def _invariants(
    ranks: Int[np.ndarray, " n"], cell: Int[np.ndarray, " c"], pos: np.ndarray | None
) -> tuple[list, list]:
    """Invariants of the nodes of a cell: unsigned ones, and ones that a reflection negates."""
    if pos is None:
        return [], []
    away = pos[None, :, :] - pos[cell, None, :]
    distance = np.sqrt((away**2).sum(-1))
    weights = np.cos(1.0 + np.outer([1.37, 2.11, 3.73], ranks))
    unsigned = [np.sqrt(((pos[cell] - pos.mean(0)) ** 2).sum(-1)), *(distance @ weights.T).T]
    if len(np.unique(ranks)) >= 3:
        vectors = np.einsum("cn,an,cnx->cax", np.exp(-0.3 * distance), weights, away)
    else:
        # Vectors weighted by fewer than three ranks span no volume; ones weighted by three ranges do.
        ranges = np.exp(-np.multiply.outer([0.3, 0.7, 1.5], distance))
        vectors = np.einsum("kcn,cnx->ckx", ranges, away)
    return unsigned, [np.linalg.det(vectors)]
