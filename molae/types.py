"""Types that every stage shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from molae.groups.action import GroupAction


@dataclass(frozen=True)
class Graph:
    """One graph with its canonical order, in arrays.

    Attributes:
        nodes: Category of each node in each channel.
        edges: Category of each pair of nodes as seen from the first of the two, 0 where there is no edge;
            symmetric where edges have no direction.
        pos: Positions in Å, or None.
        slot: Canonical slot of each node, a permutation of 0 .. n-1.
        mirror_slot: The same for the mirror image of the graph.
        tie: Rank of each node among the nodes that the graph alone cannot tell from it, or None where nobody
            asked for it.
        targets: What is known of the whole graph, as `Schema.targets` names it, NaN where it is not; or None.
        numbers: Continuous attributes of the nodes, in standard deviations from the mean, or None.
        edge_numbers: Those of each pair as seen from the first node, NaN where there is no edge; or None (see
            `Schema.edge_numbers`).
    """

    nodes: Int[np.ndarray, "n k"]
    edges: Int[np.ndarray, "n n"]
    pos: Float[np.ndarray, "n 3"] | None
    slot: Int[np.ndarray, " n"]
    mirror_slot: Int[np.ndarray, " n"]
    tie: Int[np.ndarray, " n"] | None
    targets: Float[np.ndarray, " t"] | None = None
    numbers: Float[np.ndarray, "n q"] | None = None
    edge_numbers: Float[np.ndarray, "n n p"] | None = None

    def __len__(self) -> int:
        return len(self.nodes)


class Encoding(NamedTuple):
    """What an encoder makes of a batch.

    Attributes:
        invariant: The code, unchanged by every element of the encoder's group. Its last channels are
            pseudo-scalars, which a reflection negates, as many as the encoder's `odd_size`.
        action: The group element g with x ≈ g · x̂.
        losses: Terms that teach the action, one value for each graph; empty at evaluation.
    """

    invariant: Float[Tensor, "b d"]
    action: GroupAction
    losses: Mapping[str, Float[Tensor, " b"]]


class Decoded(NamedTuple):
    """What a decoder makes of a code, on slots in canonical order and pose.

    Attributes:
        size_logits: Scores of the number of nodes, 0 to the most that the schema allows.
        node_logits: Scores of the categories of each node, one tensor for each channel.
        edge_logits: Scores of the categories of each pair of nodes as seen from the first; symmetric in the
            two but for direction.
        pos: Positions in Å, or None for graphs without coordinates.
        numbers: Continuous attributes of the nodes, in standard deviations, or None.
        edge_numbers: Those of each pair as seen from the first node, where there is no edge too; or None.
    """

    size_logits: Float[Tensor, "b s"]
    node_logits: tuple[Float[Tensor, "b m c"], ...]
    edge_logits: Float[Tensor, "b m m t"]
    pos: Float[Tensor, "b m 3"] | None
    numbers: Float[Tensor, "b m q"] | None = None
    edge_numbers: Float[Tensor, "b m m p"] | None = None
