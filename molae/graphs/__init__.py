"""Graphs that are no molecules: reading them, their labels, and their canonical order."""

from molae.graphs.arrays import decode, encode
from molae.graphs.convert import from_networkx, from_pyg, to_networkx
from molae.graphs.labelled import LabelledGraph, labelled_graph
from molae.graphs.order import order_nodes
from molae.graphs.vocabulary import Vocabulary, collect_vocabulary

__all__ = [
    "LabelledGraph",
    "Vocabulary",
    "collect_vocabulary",
    "decode",
    "encode",
    "from_networkx",
    "from_pyg",
    "labelled_graph",
    "order_nodes",
    "to_networkx",
]
