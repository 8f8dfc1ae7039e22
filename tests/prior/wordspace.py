"""Graphs of a few nodes in a row, and codes that spell them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from molae.batch.schema import Schema
from molae.prior import CodeSpace, OrderedGraph

MOST = 3
KINDS = 2
SCHEMA = Schema(node_channels=(("letter", KINDS),), edge_types=3, max_nodes=MOST, coordinates=False)
WIDTH = MOST + MOST * MOST


def write(graphs: Sequence[OrderedGraph]) -> np.ndarray:
    """Nodes, as one more than their category, then the categories of all pairs."""
    codes = np.zeros((len(graphs), WIDTH), dtype=np.float32)
    for code, (nodes, edges) in zip(codes, graphs, strict=True):
        n = len(nodes)
        code[:n] = nodes[:, 0] + 1
        code[MOST:].reshape(MOST, MOST)[:n, :n] = edges
    return codes


def read(codes: np.ndarray) -> Iterator[OrderedGraph]:
    """The graph whose code is nearest, in each number by itself."""
    for code in codes:
        letters = np.clip(code[:MOST].round(), 0, KINDS).astype(int)
        n = int(np.cumprod(letters > 0).sum())
        edges = np.clip(code[MOST:].reshape(MOST, MOST)[:n, :n].round(), 0, 2).astype(int)
        edges = np.tril(edges, -1)
        yield OrderedGraph(letters[:n, None] - 1, edges + edges.T)


def graph(word: str, *edges: tuple[int, int, int]) -> OrderedGraph:
    """The letters of a word as nodes, and edges (node, node, category)."""
    found = np.zeros((len(word), len(word)), dtype=int)
    for i, j, kind in edges:
        found[i, j] = found[j, i] = kind
    return OrderedGraph(np.array([["ab".index(letter)] for letter in word]).reshape(-1, 1), found)


SPACE = CodeSpace(SCHEMA, read, write, torch.device("cpu"))
