"""Many graphs in one safetensors file, and batches out of it without any chemistry."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from molae.batch.dense import DenseBatch
from molae.batch.schema import Schema
from molae.errors import DataError
from molae.types import Graph

_OF_NODES = ("nodes", "pos", "mirror_slot", "tie", "numbers")
_OF_BONDS = ("bonds", "edge_numbers")
_OF_GRAPHS = ("sizes", "bond_counts", "rows", "targets")


def pack(graphs: Iterable[tuple[int, Graph]], schema: Schema, path: Path) -> int:
    """Writes graphs to one file, the nodes of each in canonical order.

    Args:
        graphs: Number of the source row, and the graph.
        schema: What the graphs carry; node categories and edge ends must fit a byte.
        path: File to write.
    Returns:
        Number of graphs written.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in (*_OF_NODES, *_OF_BONDS, *_OF_GRAPHS)}
    for row, graph in graphs:
        if graph.tie is None:
            raise ValueError("graphs that are packed need the ranks of their nodes")
        order = np.argsort(graph.slot)
        i, j = np.nonzero(np.triu(graph.edges[np.ix_(order, order)], 1))
        kinds = graph.edges[order[i], order[j]]
        parts["sizes"].append(np.array([len(graph)], dtype=np.uint8))
        parts["nodes"].append(graph.nodes[order].astype(np.uint8))
        if graph.pos is not None:
            parts["pos"].append((graph.pos - graph.pos.mean(0))[order].astype(np.float32))
        parts["mirror_slot"].append(graph.mirror_slot[order].astype(np.uint8))
        parts["tie"].append(graph.tie[order].astype(np.uint8))
        parts["bonds"].append(np.stack([i, j, kinds], axis=1).astype(np.uint8))
        parts["bond_counts"].append(np.array([len(i)], dtype=np.uint16))
        parts["rows"].append(np.array([row], dtype=np.int64))
        if schema.targets:
            parts["targets"].append(_known(graph, schema))
        if graph.numbers is not None:
            parts["numbers"].append(graph.numbers[order].astype(np.float32))
        if graph.edge_numbers is not None:
            parts["edge_numbers"].append(graph.edge_numbers[order[i], order[j]].astype(np.float32))
    arrays = {name: np.concatenate(values) for name, values in parts.items() if values}
    save_file(arrays, path, metadata={"schema": schema.model_dump_json()})
    return len(parts["sizes"])


class PackedDataset:
    """A packed data set held in memory.

    Attributes:
        schema: What the graphs carry.
        sizes: Number of nodes of each graph.
        rows: Number of the source row of each graph.
    """

    def __init__(self, arrays: dict[str, np.ndarray], schema: Schema) -> None:
        self._arrays = arrays
        self.schema = schema
        self.rows = arrays["rows"]
        self.sizes = arrays["sizes"].astype(np.int64)
        self._node_start = np.concatenate([[0], np.cumsum(self.sizes)])
        self._bond_counts = arrays["bond_counts"].astype(np.int64)
        self._bond_start = np.concatenate([[0], np.cumsum(self._bond_counts)])

    @classmethod
    def load(cls, path: Path | str) -> PackedDataset:
        """Reads a file written by `pack`.

        Raises:
            DataError: If the file is missing or is not a packed data set.
        """
        try:
            with safe_open(str(path), framework="numpy") as file:
                schema = Schema(**json.loads((file.metadata() or {})["schema"]))
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
        except FileNotFoundError as error:
            raise DataError(f"no packed data set at {path}") from error
        except Exception as error:
            raise DataError(
                f"{path} is not a packed data set ({error}); write one with `molae pack`"
            ) from error
        return cls(arrays, schema)

    def save(self, path: Path | str) -> None:
        """Writes the data set to a file that `load` reads."""
        save_file(self._arrays, path, metadata={"schema": self.schema.model_dump_json()})

    def __len__(self) -> int:
        return len(self.sizes)

    def __add__(self, other: PackedDataset) -> PackedDataset:
        """The graphs of both; it takes graphs as large as either does, and its targets are those of either.

        Raises:
            DataError: If the graphs of the two do not carry the same.
        """
        other = other.rescaled(self.schema)
        most = max(self.schema.max_nodes, other.schema.max_nodes)
        names = self.schema.targets or other.schema.targets
        first, second = (
            each.schema.model_copy(update={"max_nodes": most, "targets": each.schema.targets or names})
            for each in (self, other)
        )
        if first != second:
            raise DataError("the two packed data sets have different channels: pack both alike")
        parts = [each._with_targets(len(names)) for each in (self, other)]
        return PackedDataset({name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, first)

    def _with_targets(self, count: int) -> dict[str, np.ndarray]:
        """The arrays, with targets that are not known where there are none."""
        if not count or "targets" in self._arrays:
            return self._arrays
        return self._arrays | {"targets": np.full((len(self), count), np.nan, dtype=np.float16)}

    def rescaled(self, schema: Schema) -> PackedDataset:
        """The same graphs with continuous attributes in the centres and scales of another schema.

        Data sets that were packed one by one differ in these, if in nothing else. Where the attributes
        themselves differ the data set stays as it is.
        """
        here, there = self.schema.labels, schema.labels
        if here is None or there is None:
            return self
        adopted = here.with_scales_of(there)
        if adopted is None or adopted == here:
            return self
        arrays = dict(self._arrays)
        for name, old, new in (
            ("numbers", here.node_numbers, adopted.node_numbers),
            ("edge_numbers", here.edge_numbers, adopted.edge_numbers),
        ):
            if name in arrays:
                rows, width = arrays[name].shape
                columns = arrays[name].reshape(rows, width // len(old), len(old))
                units = [a.restore(columns[..., k]) for k, a in enumerate(old)]
                scaled = [a.standardise(values) for a, values in zip(new, units, strict=True)]
                arrays[name] = np.stack(scaled, axis=-1).reshape(rows, width).astype(np.float32)
        return PackedDataset(arrays, self.schema.model_copy(update={"labels": adopted}))

    @property
    def exchanged(self) -> Bool[np.ndarray, " g"]:
        """Which graphs have nodes that a reflection exchanges (`mirror_slot`): mirror-symmetric molecules."""
        node, graph, place = _spread(self._node_start, self.sizes, np.arange(len(self)))
        moved = self._arrays["mirror_slot"][node] != place
        return np.bincount(graph, moved, minlength=len(self)) > 0

    def subset(self, indices: Int[np.ndarray, " g"]) -> PackedDataset:
        """The graphs of `indices`, in that order, as a data set of their own."""
        node, _, _ = _spread(self._node_start, self.sizes, indices)
        bond, _, _ = _spread(self._bond_start, self._bond_counts, indices)
        picks: dict[str, np.ndarray] = {
            **dict.fromkeys(_OF_NODES, node),
            **dict.fromkeys(_OF_GRAPHS, indices),
            **dict.fromkeys(_OF_BONDS, bond),
        }
        return PackedDataset(
            {name: values[picks[name]] for name, values in self._arrays.items()}, self.schema
        )

    def batch(self, indices: Int[np.ndarray, " b"]) -> DenseBatch:
        """Pads the graphs of `indices` to the largest of them."""
        indices = np.asarray(indices)
        b, m = len(indices), int(self.sizes[indices].max())
        node, graph, place = _spread(self._node_start, self.sizes, indices)
        nodes = np.zeros((b, m, self._arrays["nodes"].shape[1]), dtype=np.int64)
        nodes[graph, place] = self._arrays["nodes"][node]
        slot = np.tile(np.arange(m), (b, 1))
        mirror_slot = slot.copy()
        mirror_slot[graph, place] = self._arrays["mirror_slot"][node]
        tie = np.zeros((b, m), dtype=np.int64)
        tie[graph, place] = self._arrays["tie"][node]
        edges = np.zeros((b, m, m), dtype=np.int64)
        bond, owner, _ = _spread(self._bond_start, self._bond_counts, indices)
        i, j, kind = self._arrays["bonds"][bond].astype(np.int64).T
        edges[owner, i, j] = edges[owner, j, i] = kind
        back = self.schema.reversed_pair
        if back is not None:
            edges[owner, j, i] = np.array(back.categories)[kind]
        edge_numbers = None
        if "edge_numbers" in self._arrays:
            values = self._arrays["edge_numbers"][bond]
            edge_numbers = np.full((b, m, m, values.shape[1]), np.nan, dtype=np.float32)
            edge_numbers[owner, i, j] = values
            edge_numbers[owner, j, i] = values if back is None else values[:, list(back.numbers)]

        def padded(name: str) -> Tensor | None:
            if name not in self._arrays:
                return None
            values = self._arrays[name]
            dense = np.zeros((b, m, values.shape[1]), dtype=np.float32)
            dense[graph, place] = values[node]
            return torch.from_numpy(dense)

        mask = np.arange(m)[None, :] < self.sizes[indices][:, None]
        return DenseBatch(
            nodes=torch.from_numpy(nodes),
            edges=torch.from_numpy(edges),
            mask=torch.from_numpy(mask),
            pos=padded("pos"),
            slot=torch.from_numpy(slot),
            mirror_slot=torch.from_numpy(mirror_slot),
            tie=torch.from_numpy(tie),
            targets=self.targets(indices),
            numbers=padded("numbers"),
            edge_numbers=None if edge_numbers is None else torch.from_numpy(edge_numbers),
        )

    def targets(self, indices: Int[np.ndarray, " b"]) -> Float[Tensor, "b t"] | None:
        """What is known of some graphs, or None."""
        if "targets" not in self._arrays:
            return None
        return torch.from_numpy(self._arrays["targets"][indices].astype(np.float32))


def _known(graph: Graph, schema: Schema) -> Float[np.ndarray, "1 t"]:
    """The targets of a graph in half precision; NaN for what is not known, or too large for it."""
    if graph.targets is None:
        return np.full((1, len(schema.targets)), np.nan, dtype=np.float16)
    fits = np.abs(graph.targets) <= np.finfo(np.float16).max
    return np.where(fits, graph.targets, np.nan).astype(np.float16)[None]


def _spread(
    starts: np.ndarray, counts: np.ndarray, indices: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat index, owner and place of every element of the variable-length runs that `indices` picks."""
    picked = counts[indices]
    owner = np.repeat(np.arange(len(indices)), picked)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(picked) - picked, picked)
    return starts[indices][owner] + place, owner, place
