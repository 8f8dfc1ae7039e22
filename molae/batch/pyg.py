"""To and from the graphs of PyTorch Geometric, for users who bring or want them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch_geometric.data import Batch, Data

from molae.batch.dense import DenseBatch
from molae.types import Graph


def to_data(graph: Graph, dtype: torch.dtype = torch.float32) -> Data:
    """Turns a graph into a PyG `Data`.

    Args:
        graph: The graph.
        dtype: Type of the positions and continuous attributes.
    Returns:
        `x` (n k) categories of the nodes; `edge_index` (2 e) every edge in both directions; `edge_attr` (e)
        their categories; `pos` (n 3) in Å, where the graph has positions; `slot`, `mirror_slot` and `tie`
        (n) as in `molae.types.Graph`; `numbers` (n q) and `edge_numbers` (e p), where it has continuous
        attributes.

    >>> pair = Graph(
    ...     nodes=np.array([[2], [4]]), edges=np.array([[0, 1], [1, 0]]), pos=None,
    ...     slot=np.array([1, 0]), mirror_slot=np.array([1, 0]), tie=np.array([0, 0]),
    ... )
    >>> to_data(pair)
    Data(x=[2, 1], edge_index=[2, 2], edge_attr=[2], slot=[2], mirror_slot=[2], tie=[2], num_nodes=2)
    """
    i, j = np.nonzero(graph.edges)
    data = Data(
        x=torch.from_numpy(graph.nodes),
        edge_index=torch.from_numpy(np.stack([i, j])),
        edge_attr=torch.from_numpy(graph.edges[i, j]),
        slot=torch.from_numpy(graph.slot),
        mirror_slot=torch.from_numpy(graph.mirror_slot),
        tie=None if graph.tie is None else torch.from_numpy(graph.tie),
        # Said, since PyG would guess it from the edges of a graph whose last nodes have none.
        num_nodes=len(graph),
    )
    if graph.pos is not None:
        data.pos = torch.from_numpy(graph.pos).to(dtype)
    if graph.numbers is not None:
        data.numbers = torch.from_numpy(graph.numbers).to(dtype)
    if graph.edge_numbers is not None:
        data.edge_numbers = torch.from_numpy(graph.edge_numbers[i, j]).to(dtype)
    return data


def to_dense(data: Batch | Sequence[Data]) -> DenseBatch:
    """Pads the graphs of a PyG batch, or a list of them, as `molae.batch.collate` does.

    Args:
        data: Graphs with the attributes that `to_data` gives. Graphs without nodes keep their place.
    Returns:
        The batch.
    Raises:
        ValueError: If there is no graph.
    """
    if not isinstance(data, Batch):
        if not data:
            raise ValueError("a batch needs at least one graph, got none")
        data = Batch.from_data_list(list(data))
    start = data.ptr
    # Not `batch.max() + 1` graphs, which misses empty ones at the end.
    sizes = start.diff()
    b, m = len(sizes), int(sizes.max())
    graph = torch.repeat_interleave(torch.arange(b, device=start.device), sizes)
    place = torch.arange(len(graph), device=start.device) - start[graph]

    def padded(values: Tensor) -> Tensor:
        dense = values.new_zeros(b, m, *values.shape[1:])
        dense[graph, place] = values
        return dense

    def padded_slots(values: Int[Tensor, " n"]) -> Int[Tensor, "b m"]:
        dense = torch.arange(m, device=values.device).repeat(b, 1)
        dense[graph, place] = values
        return dense

    i, j = data.edge_index
    edges = data.edge_attr.new_zeros(b, m, m)
    edges[graph[i], place[i], place[j]] = data.edge_attr
    edge_numbers = None
    if "edge_numbers" in data:
        edge_numbers = data.edge_numbers.new_full((b, m, m, data.edge_numbers.shape[1]), torch.nan)
        edge_numbers[graph[i], place[i], place[j]] = data.edge_numbers
    return DenseBatch(
        nodes=padded(data.x),
        edges=edges,
        mask=torch.arange(m, device=start.device) < sizes[:, None],
        pos=None if data.pos is None else padded(data.pos),
        slot=padded_slots(data.slot),
        mirror_slot=padded_slots(data.mirror_slot),
        tie=padded(data.tie) if "tie" in data else None,
        numbers=padded(data.numbers) if "numbers" in data else None,
        edge_numbers=edge_numbers,
    )
