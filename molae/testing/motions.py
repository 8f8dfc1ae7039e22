"""Group elements that move a graph: rotation, translation, renumbering, mirror image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from rdkit import Chem
from scipy.spatial.transform import Rotation

from molae.chem.featurise import featurise_isomer, ordered
from molae.chem.rebuild import rebuild
from molae.chem.vocabulary import ISOMER_CHANNELS
from molae.graphs.order import order_nodes
from molae.types import Graph


@dataclass(frozen=True)
class Motion:
    """An element h of SE(3) × S_n.

    Attributes:
        rotation: R.
        translation: t in Å.
        order: Old number of each new node.
    """

    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, " 3"]
    order: Int[np.ndarray, " n"]

    @classmethod
    def identity(cls, size: int) -> Motion:
        """Leaves a graph of `size` nodes as it is."""
        return cls(np.eye(3), np.zeros(3), np.arange(size))

    @classmethod
    def random(cls, size: int, random: np.random.Generator, spread: float = 3.0) -> Motion:
        """Draws a uniform rotation and renumbering, and a translation of `spread` Å standard deviation."""
        return cls(
            Rotation.random(rng=random).as_matrix(),
            spread * random.standard_normal(3),
            random.permutation(size),
        )

    def parts(self) -> dict[str, Motion]:
        """The motion and its parts, each alone, by name."""
        none = self.identity(len(self.order))
        return {
            "rotated": replace(none, rotation=self.rotation),
            "translated": replace(none, translation=self.translation),
            "renumbered": replace(none, order=self.order),
            "rotated, translated and renumbered": self,
        }

    def apply(self, graph: Graph, single: bool = False) -> Graph:
        """Moves a graph; one without positions is renumbered only.

        The canonical order of the result is found from scratch, never carried over: it is part of what is
        tested.

        Args:
            graph: The graph.
            single: Whether to round the positions to float32, before they are ordered.
        Returns:
            h · graph.
        """
        pos = graph.pos
        if pos is None:
            return (_renumbered_isomer if _is_isomer(graph) else _renumbered)(graph, self.order)
        pos = rounded(pos[self.order] @ self.rotation.T + self.translation, single)
        return ordered(graph.nodes[self.order], graph.edges[np.ix_(self.order, self.order)], pos)


def _is_isomer(graph: Graph) -> bool:
    """Whether a graph without positions is a molecule, by what its nodes and edges carry."""
    bare = graph.numbers is None and graph.edge_numbers is None
    alike = np.array_equal(graph.edges, graph.edges.T)
    return bare and alike and graph.nodes.shape[1] == len(ISOMER_CHANNELS)


def _renumbered(graph: Graph, order: Int[np.ndarray, " n"]) -> Graph:
    """Renumbers a graph that is no molecule, its canonical order found from scratch."""
    pairs = np.ix_(order, order)
    nodes, edges = graph.nodes[order], graph.edges[pairs]
    numbers = None if graph.numbers is None else graph.numbers[order]
    edge_numbers = None if graph.edge_numbers is None else graph.edge_numbers[pairs]
    slot, tie = order_nodes(nodes, edges, numbers, edge_numbers)
    return Graph(nodes, edges, None, slot, slot, tie, graph.targets, numbers, edge_numbers)


def _renumbered_isomer(graph: Graph, order: Int[np.ndarray, " n"]) -> Graph:
    """Renumbers a molecule whose stereo is in categories that the order of the slots gives a meaning."""
    at = np.argsort(graph.slot)
    mol = rebuild(graph.nodes[at], graph.edges[np.ix_(at, at)], None)
    return featurise_isomer(Chem.RenumberAtoms(mol, graph.slot[order].tolist()))


def mirror_image(graph: Graph, single: bool = False) -> Graph:
    """Reflects a graph through the origin, its canonical order found from scratch."""
    if graph.pos is None:
        raise ValueError("graphs without positions have no mirror image")
    return ordered(graph.nodes, graph.edges, rounded(-graph.pos, single))


def rounded(pos: Float[np.ndarray, "n 3"], single: bool) -> Float[np.ndarray, "n 3"]:
    """Positions as float32 holds them, where `single`; always in float64."""
    return pos.astype(np.float32).astype(np.float64) if single else pos


def draw_motions(graphs: Mapping[str, Graph], seed: int) -> dict[str, Motion]:
    """A random motion for each graph."""
    random = np.random.default_rng(seed)
    return {name: Motion.random(len(graph), random) for name, graph in graphs.items()}


def move_all(
    graphs: Mapping[str, Graph], motions: Mapping[str, Motion] | None, dtype: torch.dtype
) -> list[Graph]:
    """The graphs moved, or as they are, with positions that `dtype` can hold."""
    single = dtype == torch.float32
    if motions is None:
        motions = {name: Motion.identity(len(graph)) for name, graph in graphs.items()}
    return [motions[name].apply(graph, single) for name, graph in graphs.items()]
