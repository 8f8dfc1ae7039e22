"""Graphs told node by node: how likely the next node and its edges are, given what was told before."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molae.nn.attention import CausalLayer, Past
from molae.nn.mlp import ResidualBlock, residual_mlp

# Channels of a pair of nodes.
_PAIR = 32


class TokenTable(nn.Module):
    """A vector for each token: one of its own, and what a network makes of what the token stands for. So what
    is learned of a token is learned of those like it too, and rare ones are known as well.

    Args:
        features: What each token stands for.
        width: Channels of its vector here.
    """

    features: Tensor

    def __init__(self, features: Float[Tensor, "k c"], width: int) -> None:
        super().__init__()
        self.register_buffer("features", features, persistent=False)
        self.own = nn.Parameter(0.02 * torch.randn(len(features), width))
        self.shared = residual_mlp(features.shape[1], width, 1, width)
        for parameter in self.shared[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self) -> Float[Tensor, "k d"]:
        return self.own + self.shared(self.features)


class Tables(NamedTuple):
    """Vectors of the kinds of nodes and of the edges: as nodes further on see them, as what is told later of
    the same node sees them, and as they are scored, the end behind the kinds."""

    read: list[Tensor]
    told: list[Tensor]
    tell: list[Tensor]


class Seen(NamedTuple):
    """What is known of the nodes so far, behind the start.

    Attributes:
        past: Keys and values of each layer.
        node: What pairs see of their second node.
        received: What of the edges that it had from nodes behind it.
        known: What the layers make of it.
    """

    past: list[Past]
    node: Float[Tensor, "b n p"]
    received: Float[Tensor, "b n p"]
    known: Float[Tensor, "b n d"]


class GraphSequence(nn.Module):
    """A causal transformer over the nodes of a graph, each told with its edges to nodes ahead, one by one: a
    depth part of perceptrons (like that of Lee et al. 2022, arXiv:2203.01941).

    A place of a sequence has a first token, the kind of its node, and further ones, each an edge, the nearest
    first, until a token 0, or until there are as many as there may be. Token `1 + (reach - 1) * types + type`
    is an edge to the node so many places ahead, of the type that counts from 0.

    Attention and the scores of edges know of each pair of nodes how far apart they are, their edge, and
    what other edges the second has had so far: whether a node needs one more is thus told, not to be counted.

    Args:
        kinds: What the first tokens stand for.
        edge_types: Types of edges.
        places: Most nodes.
        most_edges: Most edges of a node to nodes ahead.
        width: Channels of a node in the network.
        layers: Layers of attention.
        heads: Attention heads.
    """

    def __init__(
        self,
        kinds: Float[Tensor, "k c"],
        edge_types: int,
        places: int,
        most_edges: int,
        *,
        width: int,
        layers: int,
        heads: int,
    ) -> None:
        super().__init__()
        tokens = (kinds, _edge_features(places, edge_types))
        self.kinds, self.edge_types, self.heads = len(kinds), edge_types, heads
        self.places, self.levels = places, 1 + most_edges
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.place = nn.Parameter(0.02 * torch.randn(places + 1, width))
        self.read = nn.ModuleList(TokenTable(each, width) for each in tokens)
        self.node = nn.Linear(width, _PAIR)
        self.received = nn.Parameter(0.3 * torch.randn(edge_types, _PAIR))
        self.edge = nn.Parameter(0.3 * torch.randn(edge_types + 1, _PAIR))
        self.ahead = nn.Parameter(0.3 * torch.randn(places + 1, _PAIR))
        self.bias = nn.Linear(_PAIR, layers * heads, bias=False)
        self.layers = nn.ModuleList(CausalLayer(width, heads) for _ in range(layers))
        self.told = nn.ModuleList(TokenTable(each, width) for each in tokens)
        self.mix = nn.ModuleList(ResidualBlock(width) for _ in range(self.levels))
        self.norm = nn.LayerNorm(width)
        self.tell = nn.ModuleList(TokenTable(each, width) for each in tokens)
        self.end = nn.Parameter(0.02 * torch.randn(width))
        self.offset = nn.ParameterList(
            nn.Parameter(torch.zeros(size)) for size in (len(kinds) + 1, len(tokens[1]))
        )
        self.key = nn.Linear(width, _PAIR)
        self.query = nn.Linear(width, edge_types * _PAIR)

    def forward(self, tokens: Int[Tensor, "b m l"], lengths: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """How likely graphs are, and that they end where they do.

        Args:
            tokens: The tokens; those behind the end of a sequence, or behind a 0, do not count.
            lengths: Nodes of each graph.
        Returns:
            Logarithm of the probability.
        """
        tables = self._tables()
        edges = self._edges_to(tokens)
        x, pairs, _ = self._attend(self._embedded(tokens, tables), edges, None)
        place = torch.arange(x.shape[1], device=x.device)
        told = nn.functional.pad(tokens, (0, 0, 0, 1))
        told[..., 0] = told[..., 0].where(place < lengths[:, None], self.kinds)
        sequence, at = (place <= lengths[:, None]).nonzero(as_tuple=True)
        keys = pairs + self.key(x).unsqueeze(1)
        x, told = x[sequence, at], told[sequence, at]
        total = torch.zeros(len(tokens), device=x.device)
        for level in range(self.levels):
            x = self.mix[level](x)
            scores = (
                self._edge_scores(x, keys[sequence, at], at, told[:, :level], tables)
                if level
                else self._kind_scores(x, tables)
            )
            loss = nn.functional.cross_entropy(scores, told[:, level], reduction="none")
            total = total.index_add(0, sequence, -loss)
            if level + 1 < self.levels:
                token = told[:, level]
                open_ = (token > 0 if level else token < self.kinds).nonzero().squeeze(1)
                told, sequence, at = told[open_], sequence[open_], at[open_]
                x = x[open_] + tables.told[level > 0][told[:, level]]
        return total

    @torch.inference_mode()
    def draw(self, n: int, generator: torch.Generator, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
        """Draws graphs.

        Args:
            n: How many.
            generator: Source of the draws, on the device of the weights.
            temperature: What the scores are divided by: below 1, likely tokens are drawn more often.
        Returns:
            The tokens, shape (n, places, levels), 0 behind the end or a 0; and the nodes of each graph, shape
            (n,).
        """
        device, tables = self.start.device, self._tables()
        tokens = torch.zeros(n, self.places, self.levels, dtype=torch.int64, device=device)
        lengths = torch.zeros(n, dtype=torch.int64, device=device)
        going = torch.ones(n, dtype=torch.bool, device=device)
        read, edges = self.start.expand(n, 1, -1), torch.zeros(n, 1, 1, dtype=torch.int64, device=device)
        seen = None
        for place in range(self.places):
            x, pairs, seen = self._attend(read, edges, seen)
            x, open_ = x.squeeze(1), going
            keys = pairs.squeeze(1) + self.key(seen.known)
            at = torch.full((n,), place, device=device)
            for level in range(self.levels):
                x = self.mix[level](x)
                told = tokens[:, place, :level]
                scores = (
                    self._edge_scores(x, keys, at, told, tables) if level else self._kind_scores(x, tables)
                )
                chances = (scores / temperature).softmax(-1)
                drawn = torch.multinomial(chances, 1, generator=generator).squeeze(1)
                if not level:
                    going = open_ = going & (drawn < self.kinds)
                tokens[:, place, level] = drawn.where(open_, 0)
                if level:
                    open_ = open_ & (drawn > 0)
                x = x + tables.told[level > 0][tokens[:, place, level]]
            if not going.any():
                break
            lengths += going
            read = _embed(tokens[:, place, None], tables)
            edges = self._edges_to(tokens[:, : place + 1])[:, -1:]
        return tokens, lengths

    def _tables(self) -> Tables:
        read, told, tell = ([table() for table in tables] for tables in (self.read, self.told, self.tell))
        return Tables(read, told, [torch.cat([tell[0], self.end[None]]), tell[1]])

    def _embedded(self, tokens: Int[Tensor, "b m l"], tables: Tables) -> Float[Tensor, "b m+1 d"]:
        """The start, and the nodes."""
        return torch.cat([self.start.expand(len(tokens), 1, -1), _embed(tokens, tables)], dim=1)

    def _edges_to(self, tokens: Int[Tensor, "b m l"]) -> Int[Tensor, "b m+1 m+1"]:
        """Type of the edge of each node to each ahead of it, behind the start; from 1, and 0 for none."""
        count, m = tokens.shape[:2]
        reach, kind = _reach_and_type(tokens[:, :, 1:], self.edge_types)
        there = (tokens[:, :, 1:] > 0).cumprod(-1) > 0
        ahead = torch.arange(1, m + 1, device=tokens.device)[:, None] - reach
        edges = torch.zeros(count, m + 1, m + 1, dtype=torch.int64, device=tokens.device)
        # To place 0, the start, goes what is no edge.
        inside = there & (ahead > 0)
        edges[:, 1:].scatter_(2, ahead.where(inside, 0), (kind + 1).where(inside, 0))
        return edges

    def _attend(
        self, x: Float[Tensor, "b m d"], edges: Int[Tensor, "b m n"], seen: Seen | None
    ) -> tuple[Float[Tensor, "b m d"], Float[Tensor, "b m n p"], Seen]:
        """What is known behind each place, and of its pairs with those ahead.

        Args:
            x: The places that follow those that were seen.
            edges: Types of their edges to all.
            seen: What is known of the places ahead of these, None where there are none.
        """
        begin = 0 if seen is None else seen.node.shape[1]
        node = self.node(x)
        x = x + self.place[begin : begin + x.shape[1]]
        gained = nn.functional.pad(self.received, (0, 0, 1, 0))[edges]
        received = gained.cumsum(1)
        if seen is not None:
            node = torch.cat([seen.node, node], dim=1)
            received = received + nn.functional.pad(seen.received, (0, 0, 0, x.shape[1])).unsqueeze(1)
        place = torch.arange(node.shape[1], device=x.device)
        ahead = (place[begin:, None] - place).clamp(min=0)
        hidden = node.unsqueeze(1) + received + self.edge[edges] + self.ahead[ahead]
        pairs = nn.functional.gelu(hidden)
        bias = self.bias(pairs).unflatten(-1, (-1, self.heads)).permute(3, 0, 4, 1, 2)
        past = []
        for i, layer in enumerate(self.layers):
            x, kept = layer(x, bias[i], None if seen is None else seen.past[i])
            past.append(kept)
        known = x if seen is None else torch.cat([seen.known, x], dim=1)
        return x, pairs, Seen(past, node, received[:, -1], known)

    def _kind_scores(self, x: Float[Tensor, "r d"], tables: Tables) -> Float[Tensor, "r k"]:
        return nn.functional.linear(self.norm(x), tables.tell[0], self.offset[0]).float()

    def _edge_scores(
        self,
        x: Float[Tensor, "r d"],
        keys: Float[Tensor, "r n p"],
        at: Int[Tensor, " r"],
        told: Int[Tensor, "r l"],
        tables: Tables,
    ) -> Float[Tensor, "r q"]:
        """Scores of the edges of a node: by themselves, and by the node that they lead to.

        Args:
            x: What is known ahead of the edge.
            keys: Of the places ahead, the start first.
            at: Number of nodes ahead.
            told: What was told of the node so far.
            tables: Vectors of the tokens.
        """
        x = self.norm(x)
        scores = nn.functional.linear(x, tables.tell[1], self.offset[1]).float()
        query = self.query(x).unflatten(-1, (self.edge_types, _PAIR))
        there = (keys @ query.mT).float() / _PAIR**0.5
        reach = torch.arange(1, self.places, device=x.device)
        to = at[:, None] + 1 - reach
        found = there.gather(1, to.clamp(0, keys.shape[1] - 1).unsqueeze(2).expand(-1, -1, self.edge_types))
        # Edges lead to nodes ahead, the nearest first.
        last = _reach_and_type(told[:, -1:], self.edge_types)[0] if told.shape[1] > 1 else 0
        found = found.masked_fill(((to < 1) | (reach <= last)).unsqueeze(2), -torch.inf)
        return torch.cat([scores[:, :1], scores[:, 1:] + found.flatten(1)], dim=1)


def _edge_features(places: int, types: int) -> Float[Tensor, "q f"]:
    """What the tokens of edges stand for; those that are alike in part are alike here."""
    reach, kind = _reach_and_type(torch.arange((places - 1) * types + 1), types)
    one_hot = nn.functional.one_hot
    found = torch.cat([one_hot(reach.clamp(min=0), places), one_hot(kind, types)], dim=1).float()
    found[0] = 0
    return found


def _reach_and_type(token: Int[Tensor, "*b"], types: int) -> tuple[Tensor, Tensor]:
    """How far ahead the node at the other end of an edge is, and its type."""
    edge = token - 1
    return 1 + edge.div(types, rounding_mode="floor"), edge % types


def _embed(tokens: Int[Tensor, "b m l"], tables: Tables) -> Float[Tensor, "b m d"]:
    kinds, edges = tables.read
    return kinds[tokens[..., 0]] + edges[tokens[..., 1:]].sum(-2)
