"""Validation: the share of graphs rebuilt exactly, and how near their nodes are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from molae.batch.packed import PackedDataset
from molae.batch.samplers import share
from molae.batch.skeletons import SkeletonDataset
from molae.checkpoint import AnyModel
from molae.training.processes import total


class Validator:
    """Validates a model on a data set, shared by all processes.

    Args:
        fabric: Runtime of the processes.
        dataset: Graphs to validate on.
        batch_size: Graphs in a batch.
    """

    def __init__(self, fabric: Fabric, dataset: PackedDataset | SkeletonDataset, batch_size: int) -> None:
        self.fabric = fabric
        self.dataset = dataset
        self.batch_size = batch_size
        # Graphs of similar size go together, which wastes the least on padding.
        by_size = np.argsort(dataset.sizes, kind="stable")
        self._mine = share(by_size, fabric.global_rank, fabric.world_size)

    @torch.no_grad()
    def __call__(self, model: AnyModel) -> dict[str, float]:
        """Evaluates the model.

        Args:
            model: Model in evaluation mode, on the device of the process.
        Returns:
            Mean of every figure that `model.evaluate` returns over the graphs for which it is finite,
            and the median of `rmsd`, in Å, as `rmsd_median`.
        """
        device = self.fabric.device
        figures: dict[str, Tensor] = {}
        for start in range(0, len(self._mine), self.batch_size):
            graphs = self._mine[start : start + self.batch_size]
            batch: Any = self.dataset.batch(graphs).to(device)  # of the kind that the model takes
            for name, values in model.evaluate(batch).items():
                everywhere = figures.setdefault(name, torch.zeros(len(self.dataset), device=device))
                everywhere[torch.from_numpy(graphs).to(device)] = values.float()
        # Each process has zeros for the graphs of the others.
        return _summarise({name: total(self.fabric, values).cpu() for name, values in figures.items()})


def is_better(figures: Mapping[str, float], best: Mapping[str, float]) -> bool:
    """Whether a validation beats the best: more exact graphs or, with as many, a smaller median RMSD or, with
    as small a one or none, a smaller loss. Conformers have a loss alone."""
    return not best or _rank(figures) > _rank(best)


def _rank(figures: Mapping[str, float]) -> tuple[float, float, float]:
    return (
        figures.get("exact", 0.0),
        -figures.get("rmsd_median", math.inf),
        -figures.get("loss", math.inf),
    )


def _summarise(figures: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean of each figure over the graphs for which it is finite; figures that never are have none."""
    summary = {}
    for name, values in figures.items():
        finite = values[values.isfinite()].double()
        if len(finite):
            summary[name] = float(finite.mean())
            if name == "rmsd":
                summary["rmsd_median"] = float(finite.median())
    return summary
