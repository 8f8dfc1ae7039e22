"""Graphs in canonical order as sequences of tokens, and back.

A place of a sequence is a node: its first token says what the node carries, the further ones name its edges
to nodes ahead of it in the order, one each, the nearest first, and token 0 says that there are no more. Each
edge is thus told once, by the later of its two nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.prior.base import OrderedGraph


class Alphabet:
    """The tokens that some graphs are made of.

    Args:
        edge_types: Number of categories of a pair of nodes, category 0 for no edge.
        most_nodes: Most nodes of a graph.
    """

    def __init__(self, edge_types: int, most_nodes: int) -> None:
        self.edge_types, self.most_nodes = edge_types, most_nodes

    def fit(self, graphs: Iterable[OrderedGraph]) -> None:
        """Takes what nodes carry in these graphs, and how many edges they have to nodes ahead."""
        kinds, most = [], 0
        for nodes, edges in graphs:
            kinds.append(np.unique(nodes, axis=0))
            most = max(most, int((np.tril(edges, -1) > 0).sum(1).max(initial=0)))
        self._set(np.unique(np.concatenate(kinds), axis=0), most)

    def _set(self, kinds: Int[np.ndarray, "k c"], most_edges: int) -> None:
        self.kinds, self.most_edges = kinds, most_edges
        self._token = {tuple(kind): token for token, kind in enumerate(kinds.tolist())}

    @property
    def features(self) -> Float[Tensor, "k c"]:
        """What the first tokens of a place stand for: those that are alike in part are alike here."""
        channels = torch.from_numpy(self.kinds).long().unbind(1)
        return torch.cat([nn.functional.one_hot(channel).float() for channel in channels], dim=1)

    def tokens(self, graph: OrderedGraph) -> Int[np.ndarray, "n l"] | None:
        """The tokens of a graph, or None where it has a node of no kind that is known, or one with more edges
        to nodes ahead than any had."""
        nodes, edges = graph
        found = np.zeros((len(nodes), 1 + self.most_edges), dtype=np.int64)
        first = [self._token.get(tuple(node), -1) for node in nodes.tolist()]
        later, ahead = np.nonzero(np.tril(edges, -1))
        # Of each node, the nearest first.
        order = np.lexsort((-ahead, later))
        later, ahead = later[order], ahead[order]
        level = np.arange(len(later)) - np.searchsorted(later, later)
        if min(first, default=0) < 0 or level.max(initial=-1) >= self.most_edges:
            return None
        found[:, 0] = first
        back, kind = later - ahead, edges[later, ahead]
        found[later, 1 + level] = 1 + (back - 1) * (self.edge_types - 1) + kind - 1
        return found

    def graph(self, tokens: Int[np.ndarray, "n l"], back: Int[np.ndarray, " t"]) -> OrderedGraph:
        """The graph of tokens; edges that lead out of it are none.

        Args:
            tokens: The tokens.
            back: Each category of a pair as seen from its other node.
        """
        edges = np.zeros((len(tokens), len(tokens)), dtype=np.int64)
        open_ = np.cumprod(tokens[:, 1:] > 0, axis=1).astype(bool)
        later, level = np.nonzero(open_)
        reach, kind = np.divmod(tokens[later, 1 + level] - 1, self.edge_types - 1)
        ahead = later - reach - 1
        inside = ahead >= 0
        later, ahead, kind = later[inside], ahead[inside], kind[inside] + 1
        edges[later, ahead], edges[ahead, later] = kind, back[kind]
        return OrderedGraph(self.kinds[tokens[:, 0]], edges)

    def state(self) -> dict[str, Tensor]:
        """What was taken from graphs, for `restore`."""
        return {"kinds": torch.from_numpy(self.kinds), "most_edges": torch.tensor(self.most_edges)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes what another one had taken."""
        self._set(state["kinds"].numpy(), int(state["most_edges"]))
