"""Molecules with conformers for models of torsions: batches, and many molecules in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from molae.errors import DataError
from molae.registry import Config

LEVELS = ("dft", "gfn2", "mmff", "experiment")
"""Where conformers come from: minima by density functional theory, GFN2-xTB or MMFF94s, or crystals."""
MAX_TORSIONS = 32
"""Most rotatable bonds of a molecule that a model takes."""
MAX_HEAVY_ATOMS = 80
"""Most heavy atoms of a molecule that a model takes."""


class SkeletonSchema(Config):
    """What the molecules carry.

    Attributes:
        node_channels: Name and number of categories of each node channel, in order.
        edge_types: Number of edge categories, category 0 meaning that there is no bond.
        levels: Names of the levels of theory.
        max_nodes: Most heavy atoms.
        max_torsions: Most rotatable bonds.
    """

    node_channels: tuple[tuple[str, int], ...]
    edge_types: int
    levels: tuple[str, ...] = LEVELS
    max_nodes: int = MAX_HEAVY_ATOMS
    max_torsions: int = MAX_TORSIONS

    @property
    def node_sizes(self) -> tuple[int, ...]:
        """Number of categories of each node channel."""
        return tuple(size for _, size in self.node_channels)


@dataclass(frozen=True)
class SkeletonRecord:
    """One molecule: `n` heavy atoms, `t` bonds that turn, `s` geometries to start from, `c` conformers.

    Attributes:
        nodes: Category of each atom in each channel.
        edges: Bond category of each pair.
        hops: Bonds on the shortest way between two atoms.
        bonds: Ends of the bonds that turn.
        moved: Whether an atom moves when a bond turns.
        fold: Turns by 360° / fold about a bond change nothing.
        level: Place of the level of theory in the schema.
        starts: Positions in Å, or none.
        turns: Angles, in radians, by which the bonds of each start turn to be those of each conformer.
        fit: Heavy-atom RMSD, in Å, that then is left.
        positions: Positions of each conformer in Å, its atoms as in each start.
        weights: Share of each conformer in the ensemble.
        row: Number of the source row.
    """

    nodes: Int[np.ndarray, "n k"]
    edges: Int[np.ndarray, "n n"]
    hops: Int[np.ndarray, "n n"]
    bonds: Int[np.ndarray, "t 2"]
    moved: Bool[np.ndarray, "t n"]
    fold: Int[np.ndarray, " t"]
    level: int
    starts: Float[np.ndarray, "s n 3"]
    turns: Float[np.ndarray, "c s t"]
    fit: Float[np.ndarray, "c s"]
    positions: Float[np.ndarray, "c s n 3"]
    weights: Float[np.ndarray, " c"]
    row: int = 0

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True)
class SkeletonBatch:
    """A batch of molecules padded to `m` atoms, `t` bonds, `s` starts and `c` conformers.

    Attributes:
        nodes: As in `SkeletonRecord`; 0 at padding, likewise below.
        edges: As there.
        hops: As there.
        mask: True at real atoms, which come first.
        bonds: As there; padding joins the first atom to itself.
        moved: As there.
        fold: As there; 0 at padding.
        level: As there.
        starts: As there.
        turns: As there.
        fit: As there; infinite at padding.
        positions: As there.
        weights: As there; 0 at padding.
    """

    nodes: Int[Tensor, "b m k"]
    edges: Int[Tensor, "b m m"]
    hops: Int[Tensor, "b m m"]
    mask: Bool[Tensor, "b m"]
    bonds: Int[Tensor, "b t 2"]
    moved: Bool[Tensor, "b t m"]
    fold: Int[Tensor, "b t"]
    level: Int[Tensor, " b"]
    starts: Float[Tensor, "b s m 3"]
    turns: Float[Tensor, "b c s t"]
    fit: Float[Tensor, "b c s"]
    positions: Float[Tensor, "b c s m 3"]
    weights: Float[Tensor, "b c"]

    def __len__(self) -> int:
        return len(self.nodes)

    def to(self, device: torch.device | str) -> SkeletonBatch:
        """Moves the batch to a device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def collate_skeletons(records: Sequence[SkeletonRecord]) -> SkeletonBatch:
    """Pads molecules to the largest of them."""
    b, m = len(records), max(len(each) for each in records)
    t = max(len(each.bonds) for each in records)
    s = max(len(each.starts) for each in records)
    c = max(len(each.weights) for each in records)
    arrays = {
        "nodes": np.zeros((b, m, records[0].nodes.shape[1]), np.int64),
        "edges": np.zeros((b, m, m), np.int64),
        "hops": np.zeros((b, m, m), np.int64),
        "mask": np.zeros((b, m), bool),
        "bonds": np.zeros((b, t, 2), np.int64),
        "moved": np.zeros((b, t, m), bool),
        "fold": np.zeros((b, t), np.int64),
        "level": np.array([each.level for each in records], np.int64),
        "starts": np.zeros((b, s, m, 3), np.float32),
        "turns": np.zeros((b, c, s, t), np.float32),
        "fit": np.full((b, c, s), np.inf, np.float32),
        "positions": np.zeros((b, c, s, m, 3), np.float32),
        "weights": np.zeros((b, c), np.float32),
    }
    for place, each in enumerate(records):
        arrays["mask"][place, : len(each)] = True
        for name in _PADDED:
            values = getattr(each, name)
            corner = tuple(slice(length) for length in values.shape)
            arrays[name][place][corner] = values
    return SkeletonBatch(**{name: torch.from_numpy(values) for name, values in arrays.items()})


_PADDED = (
    "nodes",
    "edges",
    "hops",
    "bonds",
    "moved",
    "fold",
    "starts",
    "turns",
    "fit",
    "positions",
    "weights",
)


class SkeletonDataset:
    """A packed data set held in memory.

    Attributes:
        schema: What the molecules carry.
        sizes: Number of heavy atoms of each.
        rows: Number of the source row of each.
    """

    def __init__(self, records: Sequence[SkeletonRecord], schema: SkeletonSchema) -> None:
        self._records = list(records)
        self.schema = schema
        self.sizes = np.array([len(each) for each in self._records], dtype=np.int64)
        self.rows = np.array([each.row for each in self._records], dtype=np.int64)

    @classmethod
    def load(cls, path: Path | str) -> SkeletonDataset:
        """Reads a file that `save` wrote.

        Raises:
            DataError: If the file is missing or is not a packed data set of conformers.
        """
        try:
            with safe_open(str(path), framework="numpy") as file:
                schema = SkeletonSchema(**json.loads((file.metadata() or {})["skeletons"]))
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
        except FileNotFoundError as error:
            raise DataError(f"no packed data set at {path}") from error
        except Exception as error:
            raise DataError(
                f"{path} is not a packed data set of conformers ({error}); write one with `molae pack`"
            ) from error
        return cls(list(_split(arrays)), schema)

    def save(self, path: Path | str) -> None:
        """Writes the data set to a file that `load` reads."""
        save_file(_join(self._records), path, metadata={"skeletons": self.schema.model_dump_json()})

    def __len__(self) -> int:
        return len(self._records)

    def __add__(self, other: SkeletonDataset) -> SkeletonDataset:
        """The molecules of both.

        Raises:
            DataError: If the two do not carry the same.
        """
        if self.schema != other.schema:
            raise DataError("the two packed data sets have different channels: pack both alike")
        return SkeletonDataset(self._records + other._records, self.schema)

    def subset(self, indices: Int[np.ndarray, " g"]) -> SkeletonDataset:
        """The molecules of `indices`, in that order, as a data set of their own."""
        return SkeletonDataset([self._records[place] for place in indices], self.schema)

    def batch(self, indices: Int[np.ndarray, " b"]) -> SkeletonBatch:
        """Pads the molecules of `indices` to the largest of them."""
        return collate_skeletons([self._records[place] for place in indices])


#: How the arrays of a molecule are stored, and which of n, t, s and c their axes have.
_STORED: dict[str, tuple[type[np.generic], str]] = {
    "nodes": (np.uint8, "nk"),
    "edges": (np.uint8, "nn"),
    "hops": (np.uint8, "nn"),
    "bonds": (np.uint8, "t2"),
    "moved": (np.bool_, "tn"),
    "fold": (np.uint8, "t"),
    "starts": (np.float32, "sn3"),
    "turns": (np.float16, "cst"),
    "fit": (np.float16, "cs"),
    "positions": (np.float16, "csn3"),
    "weights": (np.float32, "c"),
}


def _join(records: Iterable[SkeletonRecord]) -> dict[str, np.ndarray]:
    """All molecules in flat arrays, beside their counts."""
    counts, levels, rows = [], [], []
    parts: dict[str, list[np.ndarray]] = {name: [] for name in _STORED}
    for each in records:
        counts.append([len(each), each.nodes.shape[1], len(each.bonds), len(each.starts), len(each.weights)])
        levels.append(each.level)
        rows.append(each.row)
        for name, (kind, _) in _STORED.items():
            parts[name].append(getattr(each, name).astype(kind).ravel())
    return {
        **{name: np.concatenate(values) for name, values in parts.items()},
        "counts": np.array(counts, dtype=np.int64),
        "levels": np.array(levels, dtype=np.uint8),
        "rows": np.array(rows, dtype=np.int64),
    }


def _split(arrays: dict[str, np.ndarray]) -> Iterable[SkeletonRecord]:
    begin = dict.fromkeys(_STORED, 0)
    for counts, level, row in zip(arrays["counts"], arrays["levels"], arrays["rows"], strict=True):
        lengths = dict(zip("nktsc", counts.tolist(), strict=True)) | {"2": 2, "3": 3}
        values = {}
        for name, (_, axes) in _STORED.items():
            shape = tuple(lengths[axis] for axis in axes)
            end = begin[name] + int(np.prod(shape))
            values[name] = arrays[name][begin[name] : end].reshape(shape)
            begin[name] = end
        yield SkeletonRecord(**values, level=int(level), row=int(row))
