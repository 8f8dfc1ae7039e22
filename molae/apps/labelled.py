"""The one path from a graph that is no molecule to what a model reads."""

from __future__ import annotations

import sys

from molae.errors import RowError
from molae.graphs.convert import from_networkx, from_pyg
from molae.graphs.labelled import LabelledGraph


def as_labelled(value: object) -> LabelledGraph | RowError | None:
    """Takes a graph of networkx or PyTorch Geometric, or one of our own; None for what is no graph."""
    if isinstance(value, LabelledGraph):
        return value
    try:
        if _is_a(value, "networkx", "Graph"):
            return from_networkx(value)
        if _is_a(value, "torch_geometric.data", "Data"):
            return from_pyg(value)
    except RowError as error:
        return error
    return None


def _is_a(value: object, module: str, name: str) -> bool:
    """Whether a value is of a class of a module, which need not be imported for that."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))
