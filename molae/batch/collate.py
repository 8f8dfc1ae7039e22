"""From graphs, or molecules that are lines, to one padded batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from molae.batch.dense import DenseBatch
from molae.chem.line import Line, LineArrays, make_arrays
from molae.types import Graph


def collate(graphs: Sequence[Graph], dtype: torch.dtype = torch.float32) -> DenseBatch:
    """Pads graphs to the largest of them.

    Args:
        graphs: The graphs, all of them with positions or none; positions are taken as they are, so centre
            those that are far from the origin.
        dtype: Type of the positions and of continuous attributes.
    Returns:
        The batch, graphs in their order, nodes in theirs; padding has slots of its own behind the nodes'.
    Raises:
        ValueError: If there is no graph, or only some have positions, ranks of their nodes, targets or
            continuous attributes.
    """
    if not graphs:
        raise ValueError("a batch needs at least one graph, got none")
    placed = _all_or_none("positions", [graph.pos for graph in graphs])
    aimed = _all_or_none("targets", [graph.targets for graph in graphs])
    b, m = len(graphs), max(map(len, graphs))
    nodes = np.zeros((b, m, graphs[0].nodes.shape[1]), dtype=np.int64)
    edges = np.zeros((b, m, m), dtype=np.int64)
    pos = np.zeros((b, m, 3))
    slot = np.tile(np.arange(m), (b, 1))
    mirror_slot = slot.copy()
    tie = numbers = edge_numbers = None
    if _all_or_none("ranks of their nodes", [graph.tie for graph in graphs]):
        tie = np.zeros((b, m), dtype=np.int64)
    if _all_or_none("numbers", [graph.numbers for graph in graphs]):
        numbers = np.zeros((b, m, _width(graphs[0].numbers)))
    if _all_or_none("numbers of edges", [graph.edge_numbers for graph in graphs]):
        edge_numbers = np.full((b, m, m, _width(graphs[0].edge_numbers)), np.nan)
    for i, graph in enumerate(graphs):
        n = len(graph)
        nodes[i, :n] = graph.nodes
        edges[i, :n, :n] = graph.edges
        slot[i, :n] = graph.slot
        mirror_slot[i, :n] = graph.mirror_slot
        if tie is not None and graph.tie is not None:
            tie[i, :n] = graph.tie
        if graph.pos is not None:
            pos[i, :n] = graph.pos
        if numbers is not None:
            numbers[i, :n] = graph.numbers
        if edge_numbers is not None:
            edge_numbers[i, :n, :n] = graph.edge_numbers
    sizes = np.array([len(graph) for graph in graphs])
    return DenseBatch(
        nodes=torch.from_numpy(nodes),
        edges=torch.from_numpy(edges),
        mask=torch.from_numpy(np.arange(m) < sizes[:, None]),
        pos=torch.from_numpy(pos).to(dtype) if placed else None,
        slot=torch.from_numpy(slot),
        mirror_slot=torch.from_numpy(mirror_slot),
        tie=None if tie is None else torch.from_numpy(tie),
        targets=torch.as_tensor(np.array([graph.targets for graph in graphs]), dtype=dtype)
        if aimed
        else None,
        numbers=None if numbers is None else torch.from_numpy(numbers).to(dtype),
        edge_numbers=None if edge_numbers is None else torch.from_numpy(edge_numbers).to(dtype),
    )


def collate_lines(lines: Sequence[Line], batch_size: int) -> Iterator[DenseBatch]:
    """Pads molecules that are lines to the largest of their batch.

    Args:
        lines: The molecules; all are read at once, whatever the size of the batches.
        batch_size: Molecules in a batch.
    Yields:
        Batches, molecules in their order, atoms in that of their slots, without ranks of those alike.
    """
    arrays = make_arrays(lines)
    for start in range(0, len(lines), batch_size):
        yield _pad(arrays.part(start, start + batch_size))


def _pad(arrays: LineArrays) -> DenseBatch:
    b, m = len(arrays.sizes), int(arrays.sizes.max())
    mask = np.arange(m) < arrays.sizes[:, None]
    nodes = np.zeros((b, m, arrays.nodes.shape[1]), dtype=np.int64)
    nodes[mask] = arrays.nodes
    edges = np.zeros((b, m, m), dtype=np.int64)
    graph = np.repeat(np.arange(b), arrays.bonds.counts)
    i, j, kind = arrays.bonds.rows.T
    edges[graph, i, j] = edges[graph, j, i] = kind
    slot = torch.arange(m).repeat(b, 1)
    return DenseBatch(
        nodes=torch.from_numpy(nodes),
        edges=torch.from_numpy(edges),
        mask=torch.from_numpy(mask),
        pos=None,
        slot=slot,
        mirror_slot=slot,
        tie=None,
    )


def _width(values: np.ndarray | None) -> int:
    return 0 if values is None else values.shape[-1]


def _all_or_none(what: str, values: Sequence[object]) -> bool:
    """Whether all graphs have something that either all or none must have."""
    there = [value is not None for value in values]
    if any(there) != all(there):
        raise ValueError(
            f"{sum(there)} of {len(there)} graphs have {what}: batch those without by themselves"
        )
    return all(there)
