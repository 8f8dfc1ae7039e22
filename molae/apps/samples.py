"""What a model reads of one row of the input."""

from __future__ import annotations

from dataclasses import dataclass

from molae.chem.line import Line
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

    def __len__(self) -> int:
        return len(self.graph)

    def ranked(self) -> Graph:
        """The graph with the ranks `tie` of its nodes, which `graph` itself may lack."""
        return self.graph


@dataclass(frozen=True)
class LineSample:
    """A molecule as a model without coordinates sees it, for what asks no more than its code.

    Attributes:
        line: The molecule.
        notes: What was changed or left open on the way.
    """

    line: Line
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.line)


#: What an encoder reads of one row of the input; it has as many nodes as it is long.
Embeddable = Sample | LineSample
