"""What every aligner must do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.groups.action import GroupAction
from molae.groups.permutation import inverse_index, take_nodes
from molae.testing.actions import require_permutation
from molae.testing.fixtures import all_graphs, dense
from molae.testing.motions import Motion
from molae.testing.report import TOLERANCE, ContractViolation, Report, frozen, run_checks
from molae.types import Graph


def check_aligner(aligner: nn.Module, width: int, graphs: Mapping[str, Graph] | None = None) -> Report:
    """Runs all assertions of this module on an aligner, in float64.

    The aligner is given scalars that tell all nodes apart, and costs of giving nodes to slots, as an encoder
    and a decoder would; a permutation counts once `match` has had its say.

    Args:
        aligner: The aligner.
        width: Channels of its scalars.
        graphs: Graphs by name; those of `molae.testing.fixtures` unless given.
    Returns:
        What passed and what failed, by the names of the assertions; its `require()` raises.

    Example:
        >>> from molae.align import ALIGNERS
        >>> from molae.testing import SCHEMA
        >>> print(check_aligner(ALIGNERS.build({"name": "sinkhorn"}, SCHEMA, 8), 8))
        4 checks passed, 0 failed
    """
    graphs = all_graphs() if graphs is None else graphs
    return run_checks(
        {
            "assert_valid_alignment": partial(assert_valid_alignment, aligner, width, graphs),
            "assert_alignment_equivariant": partial(assert_alignment_equivariant, aligner, width, graphs),
            "assert_alignment_padding_invariant": partial(
                assert_alignment_padding_invariant, aligner, width, graphs
            ),
            "assert_alignment_trains": partial(assert_alignment_trains, aligner, width, graphs),
        }
    )


def assert_valid_alignment(aligner: nn.Module, width: int, graphs: Mapping[str, Graph]) -> None:
    """At evaluation each slot 0 .. n-1 is one real node's, predicted and matched, and there is no loss."""
    aligner, batch = frozen(aligner, torch.float64), dense(list(graphs.values()))
    predicted, losses = aligner(_scalars(batch, width), batch)
    require_permutation(predicted, batch.mask, graphs)
    require_permutation(_align(aligner, width, batch), batch.mask, graphs)
    if losses:
        raise ContractViolation(f"losses at evaluation: {', '.join(losses)}")


def assert_alignment_equivariant(aligner: nn.Module, width: int, graphs: Mapping[str, Graph]) -> None:
    """Renumbered nodes keep their slots."""
    aligner = frozen(aligner, torch.float64)
    random = np.random.default_rng(0)
    moved = [Motion.random(len(graph), random).apply(graph) for graph in graphs.values()]
    here, there = (
        take_nodes(_align(aligner, width, batch), inverse_index(batch.slot))
        for batch in (dense(list(graphs.values())), dense(moved))
    )
    bad = [name for name, ok in zip(graphs, (here == there).all(1).tolist(), strict=True) if not ok]
    if bad:
        raise ContractViolation(f"the slots of nodes change with their numbering: {', '.join(bad)}")


def assert_alignment_padding_invariant(
    aligner: nn.Module, width: int, graphs: Mapping[str, Graph], extra: int = 3
) -> None:
    """Padding to `extra` more nodes leaves the slots of the others as they are."""
    aligner, several = frozen(aligner, torch.float64), list(graphs.values())
    plain = dense(several)
    m = plain.mask.shape[1]
    padded = _align(aligner, width, dense(several, pad_to=m + extra))[:, :m]
    same = (padded == _align(aligner, width, plain)) | ~plain.mask
    bad = [name for name, ok in zip(graphs, same.all(1).tolist(), strict=True) if not ok]
    if bad:
        raise ContractViolation(f"the slots of nodes change with padding: {', '.join(bad)}")


def assert_alignment_trains(aligner: nn.Module, width: int, graphs: Mapping[str, Graph]) -> None:
    """In training the rows of a soft permutation are distributions, and losses and gradients are finite."""
    aligner, batch = frozen(aligner, torch.float64).train(), dense(list(graphs.values()))
    scalars = _scalars(batch, width).requires_grad_()
    permutation, losses = aligner(scalars, batch)
    for name, loss in losses.items():
        if loss.shape != (len(batch),):
            raise ContractViolation(
                f"loss {name!r} must have one value a graph, got shape {tuple(loss.shape)}"
            )
    if permutation.is_floating_point():
        _require_distributions(permutation, batch)
        losses = {**losses, "permutation itself": permutation[batch.mask].square().sum().unsqueeze(0)}
    else:
        require_permutation(permutation, batch.mask, graphs)
    if not losses:
        return
    total = torch.cat(list(losses.values())).sum()
    total.backward()
    gradients = [scalars.grad, *(weight.grad for weight in aligner.parameters())]
    if not all(bool(g.isfinite().all()) for g in [total, *gradients] if g is not None):
        raise ContractViolation("the soft permutation, its losses or their gradients are not finite")


def _require_distributions(permutation: Float[Tensor, "b m m"], batch: DenseBatch) -> None:
    """Raises unless each row of a real node holds shares of real slots that add up to one."""
    rows = (permutation * batch.mask.unsqueeze(1)).sum(2)[batch.mask]
    if bool((permutation < -TOLERANCE[permutation.dtype]).any()) or not torch.allclose(
        rows, torch.ones_like(rows)
    ):
        raise ContractViolation(
            "a row of the soft permutation is no distribution over the slots of real nodes"
        )


@torch.no_grad()
def _align(aligner: nn.Module, width: int, batch: DenseBatch) -> Tensor:
    permutation, _ = aligner(_scalars(batch, width), batch)
    action = aligner.match(GroupAction(permutation), lambda: _costs(batch), batch)  # type: ignore[operator]
    return action.permutation


def _scalars(batch: DenseBatch, width: int) -> Float[Tensor, "b m d"]:
    """Features of the nodes that depend on their canonical slots alone."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(64, width, generator=random, dtype=torch.float64)[batch.slot]


def _costs(batch: DenseBatch) -> Float[Tensor, "b m m"]:
    random = torch.Generator().manual_seed(1)
    return torch.rand(64, 64, generator=random, dtype=torch.float64)[batch.slot][..., : batch.mask.shape[1]]
