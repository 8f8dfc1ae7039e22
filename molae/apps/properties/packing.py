"""Graphs as rows of bytes, which are kept and parted beside the features of their molecules."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.types import Graph

_POSITION = np.dtype("<f4")


def pack_graph(graph: Graph, schema: Schema) -> UInt8[np.ndarray, " p"]:
    """A graph as one row of bytes: the number of nodes, the categories of each, the edge of each pair, and
    where the schema has them the positions."""
    count, most = len(graph), schema.max_nodes
    nodes = np.zeros((most, graph.nodes.shape[1]), dtype=np.uint8)
    edges = np.zeros((most, most), dtype=np.uint8)
    nodes[:count], edges[:count, :count] = graph.nodes, graph.edges
    parts = [np.array([count], dtype=np.uint8), nodes.ravel(), edges[np.triu_indices(most, 1)]]
    if schema.coordinates:
        pos = np.zeros((most, 3), dtype=_POSITION)
        pos[:count] = graph.pos
        parts.append(pos.ravel().view(np.uint8))
    return np.concatenate(parts)


def packed_size(schema: Schema) -> int:
    """Length of such a row."""
    most = schema.max_nodes
    positions = 3 * most * _POSITION.itemsize if schema.coordinates else 0
    return 1 + most * len(schema.node_channels) + most * (most - 1) // 2 + positions


def unpack_graphs(rows: UInt8[np.ndarray, "b p"], schema: Schema) -> DenseBatch:
    """The graphs of rows that `pack_graph` made, padded to the largest of them."""
    count, most = len(rows), schema.max_nodes
    sizes, m = rows[:, 0].astype(np.int64), int(rows[:, 0].max(initial=1))
    parts = 1, most * len(schema.node_channels), most * (most - 1) // 2
    _, nodes, pairs, positions = np.split(rows, np.cumsum(parts), axis=1)
    nodes = nodes.reshape(count, most, -1)[:, :m].astype(np.int64)
    upper = np.zeros((count, most, most), dtype=np.int64)
    upper[(slice(None), *np.triu_indices(most, 1))] = pairs
    edges = (upper + upper.transpose(0, 2, 1))[:, :m, :m]
    pos = None
    if schema.coordinates:
        kept = np.ascontiguousarray(positions).view(_POSITION).reshape(count, most, 3)[:, :m]
        pos = torch.from_numpy(kept.astype(np.float32))
    place = torch.arange(m).expand(count, m)
    return DenseBatch(
        nodes=torch.from_numpy(nodes),
        edges=torch.from_numpy(np.ascontiguousarray(edges)),
        mask=place < torch.from_numpy(sizes)[:, None],
        pos=pos,
        slot=place,
        mirror_slot=place,
        tie=torch.zeros_like(place),
    )
