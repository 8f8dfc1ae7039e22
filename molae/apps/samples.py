"""What a model reads of one row of the input."""

from __future__ import annotations

from dataclasses import dataclass

from molae.types import Graph


@dataclass(frozen=True)
class Sample:
    """A row of the input as a model sees it.

    Attributes:
        graph: The graph.
        notes: What was changed or left open on the way.
    """

    graph: Graph
    notes: tuple[str, ...]

    def ranked(self) -> Graph:
        """The graph with the ranks `tie` of its nodes, which `graph` itself may lack."""
        return self.graph
