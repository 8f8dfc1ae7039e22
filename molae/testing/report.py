"""What failed, by name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from molae.types import Graph

Graphs = Graph | Iterable[Graph] | Mapping[str, Graph]

#: Largest deviation that counts as rounding, for numbers of order 1.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


class ContractViolation(AssertionError):
    """A component does not keep its contract."""


@dataclass(frozen=True)
class Report:
    """Outcome of a suite of checks.

    Attributes:
        passed: Names of the checks that passed.
        failed: Name and message of those that did not.
    """

    passed: tuple[str, ...]
    failed: Mapping[str, str]

    def __str__(self) -> str:
        lines = [f"{name}: {message}" for name, message in self.failed.items()]
        return "\n".join([f"{len(self.passed)} checks passed, {len(self.failed)} failed", *lines])

    def require(self) -> None:
        """Raises `ContractViolation`, with every message, if anything failed."""
        if self.failed:
            raise ContractViolation(str(self))


def run_checks(checks: Mapping[str, Callable[[], None]]) -> Report:
    """Runs every check, also after one has failed."""
    failed = {}
    for name, check in checks.items():
        try:
            check()
        except ContractViolation as violation:
            failed[name] = str(violation)
        except Exception as error:  # A component under test may raise anything.
            failed[name] = f"raised {type(error).__name__}: {error}"
    return Report(tuple(name for name in checks if name not in failed), failed)


def named(graphs: Graphs) -> dict[str, Graph]:
    """The graphs by name, by number where they have none."""
    if isinstance(graphs, Graph):
        return {"the graph": graphs}
    if isinstance(graphs, Mapping):
        return dict(graphs)
    return {f"graph {i}": graph for i, graph in enumerate(graphs)}


def frozen(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy in evaluation mode and of the given precision; the original stays as it is."""
    return copy.deepcopy(module).to(dtype).eval()


def require_close(
    got: Tensor, expected: Tensor, names: Iterable[str], what: str, applies: Bool[Tensor, " b"] | None = None
) -> None:
    """Compares graph by graph.

    Args:
        got: Values, a row for each graph.
        expected: Values of the same shape.
        names: Name of each graph.
        what: What differs, as the start of the message.
        applies: Graphs to compare; all unless told.
    Raises:
        ContractViolation: If a graph differs by more than rounding, naming the worst.
    """
    if not len(got):
        return
    scale = expected.abs().amax().clamp(min=1.0).nan_to_num(1.0)
    tolerance = float(TOLERANCE[got.dtype] * scale)
    deviation = (got - expected).abs().reshape(len(got), -1).amax(1).nan_to_num(torch.inf, torch.inf)
    if applies is not None:
        deviation = deviation.masked_fill(~applies, 0.0)
    if float(deviation.max()) > tolerance:
        bad = [(name, float(d)) for name, d in zip(names, deviation, strict=True) if d > tolerance]
        name, worst = max(bad, key=lambda pair: pair[1])
        raise ContractViolation(
            f"{what} by {worst:.1e} for {name} and in all for {len(bad)} of {len(got)} graphs; "
            f"at most {tolerance:.1e} is rounding"
        )
