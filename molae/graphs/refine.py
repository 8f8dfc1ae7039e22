"""Colour refinement of the nodes of a graph, and the walk that makes an order of their ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int


def neighbourhoods(edges: Int[np.ndarray, "n n"]) -> tuple[list[np.ndarray], list[tuple[int, ...]]]:
    """Neighbours of each node, and the categories of its edges to them."""
    neighbours = [np.flatnonzero(row) for row in edges]
    return neighbours, [tuple(row[near].tolist()) for row, near in zip(edges, neighbours, strict=True)]


def rank(keys: Sequence) -> Int[np.ndarray, " n"]:
    """Numbers equal keys alike, by the number of smaller keys."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    ranks = np.zeros(len(keys), dtype=np.int64)
    for place, node in enumerate(order):
        previous = order[place - 1]
        ranks[node] = ranks[previous] if place and keys[node] == keys[previous] else place
    return ranks


def refine(
    ranks: Int[np.ndarray, " n"], neighbours: Sequence[np.ndarray], labels: Sequence[tuple[int, ...]]
) -> Int[np.ndarray, " n"]:
    """Refines a colouring by the colours of the neighbours until it no longer changes.

    Args:
        ranks: Colours, as `rank` numbers them.
        neighbours: Neighbours of each node.
        labels: Categories of the edges to them.
    Returns:
        The finer ranks, in whose order that of the coarser ones is kept (Weisfeiler and Leman 1968).
    """
    count = len(np.unique(ranks))
    while count < len(ranks):
        colours = ranks.tolist()
        keys = [
            (colours[i], sorted((label, colours[j]) for j, label in zip(near, labels[i], strict=True)))
            for i, near in enumerate(neighbours)
        ]
        ranks = rank(keys)
        finer = len(np.unique(ranks))
        if finer == count:
            break
        count = finer
    return ranks


def walk(
    ranks: Int[np.ndarray, " n"], neighbours: Sequence[np.ndarray], behind: Bool[np.ndarray, " n"]
) -> list[int]:
    """Depth-first walk along the edges, lower ranks first: neighbours lie near each other in the order.

    Nodes that rank last begin no walk, but once there it takes them first, so that they stay by their
    neighbour.

    Args:
        ranks: Rank of each node, all different.
        neighbours: Neighbours of each node.
        behind: Nodes that rank last.
    Returns:
        The nodes in their order.
    """
    walked: list[int] = []
    seen = np.zeros(len(ranks), dtype=bool)
    stack = [int(node) for node in np.argsort(-ranks)]
    while stack:
        node = stack.pop()
        if seen[node]:
            continue
        seen[node] = True
        walked.append(node)
        ahead = [int(j) for j in neighbours[node] if not seen[j]]
        stack.extend(sorted(ahead, key=lambda j: (behind[j], -ranks[j])))
    return walked


def rank_within(cells: Int[np.ndarray, " n"], slot: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Rank of each node by its slot within its cell of nodes that are alike."""
    seen: dict[int, int] = {}
    colours, ranks = cells.tolist(), [0] * len(cells)
    for node in np.argsort(slot).tolist():
        colour = colours[node]
        ranks[node] = found = seen.get(colour, 0)
        seen[colour] = found + 1
    return np.array(ranks, dtype=np.int64)
