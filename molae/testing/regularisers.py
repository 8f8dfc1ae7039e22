"""What every regulariser must do."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.nn.summary import Summary
from molae.regularise import Context
from molae.testing.decoders import random_codes
from molae.testing.fixtures import asymmetric_graphs, dense
from molae.testing.report import ContractViolation, Report, frozen, run_checks

GRAPHS = 12
STEPS = (0, 10_000, None)
"""Steps that terms are tried at: the first, a later one, and after all schedules."""


def check_regulariser(
    regulariser: nn.Module, code_size: int, odd_size: int = 0, summary: Summary | None = None
) -> Report:
    """Runs all assertions of this module, in float64.

    Args:
        regulariser: The regulariser, with generic weights.
        code_size: Channels of the code.
        odd_size: How many of them, the last, are pseudo-scalars.
        summary: Network of the summary that it was built for, taking graphs of `molae.testing.SCHEMA`; None
            for one that was built for codes without a summary.
    Returns:
        What passed and what failed, by the names of the assertions; its `require()` raises.

    Example:
        >>> from molae.nn.channels import CodeChannels
        >>> from molae.regularise import REGULARISERS
        >>> from molae.testing import with_generic_weights
        >>> regulariser = REGULARISERS.build({"name": "variational"}, CodeChannels(0, 9, 3))
        >>> print(check_regulariser(with_generic_weights(regulariser), 12, 3))
        5 checks passed, 0 failed
    """
    codes = random_codes(GRAPHS, code_size)
    return run_checks(
        {
            "assert_terms_mirror": partial(assert_terms_mirror, regulariser, codes, odd_size, summary),
            "assert_terms_repeat": partial(assert_terms_repeat, regulariser, codes, summary),
            "assert_noise_seeded": partial(assert_noise_seeded, regulariser, codes, summary),
            "assert_regulariser_gradients": partial(
                assert_regulariser_gradients, regulariser, codes, summary
            ),
            "assert_described": partial(assert_described, regulariser, codes),
        }
    )


def assert_terms_mirror(
    regulariser: nn.Module,
    codes: Float[Tensor, "b d"],
    odd_size: int,
    summary: Summary | None = None,
) -> None:
    """Mirror images, whose odd channels are negated, cost the same."""
    sign = torch.ones(codes.shape[1], dtype=codes.dtype)
    sign[codes.shape[1] - odd_size :] = -1
    context = _context(codes, summary)
    for step in STEPS:
        first = _terms(regulariser, context._replace(step=step))
        mirrored = _terms(regulariser, context._replace(step=step, code=sign * codes))
        _require_equal(first, mirrored, "mirrored")


def assert_terms_repeat(
    regulariser: nn.Module, codes: Float[Tensor, "b d"], summary: Summary | None = None
) -> None:
    """The same graphs cost the same again, and whatever their order and padding: without a generator, terms
    are no matter of chance."""
    for step in STEPS:
        context = _context(codes, summary)._replace(step=step)
        first = _terms(regulariser, context)
        _require_equal(first, _terms(regulariser, context), "a second time")
        backwards = context._replace(code=codes.flip(0), batch=_graphs(reverse=True))
        _require_equal(first, _terms(regulariser, backwards), "in reverse order")
        _require_equal(first, _terms(regulariser, context._replace(batch=_graphs(extra=3))), "padded")


def assert_noise_seeded(
    regulariser: nn.Module, codes: Float[Tensor, "b d"], summary: Summary | None = None
) -> None:
    """Noise and views come from the generator that is given, and from nowhere else."""
    before = torch.random.get_rng_state()
    first, again = (_perturbed(frozen(regulariser, torch.float64), codes) for _ in range(2))
    drawn, same = (
        _terms(regulariser, _context(codes, summary)._replace(generator=torch.Generator().manual_seed(0)))
        for _ in range(2)
    )
    if not torch.equal(first, again):
        raise ContractViolation("the same seed gives other noise")
    _require_equal(drawn, same, "with the same seed")
    if not torch.equal(before, torch.random.get_rng_state()):
        raise ContractViolation("the noise or a view takes from the random numbers of others")
    if first.shape != codes.shape or not bool(first.isfinite().all()):
        raise ContractViolation("codes with noise are not finite, or have another shape")


def assert_regulariser_gradients(
    regulariser: nn.Module, codes: Float[Tensor, "b d"], summary: Summary | None = None
) -> None:
    """Gradients are finite, also where all codes are 0, and reach the codes with noise."""
    module = frozen(regulariser, torch.float64).train()
    for values in (codes, torch.zeros_like(codes)):
        leaf = values.detach().double().requires_grad_()
        generator = torch.Generator().manual_seed(0)
        noisy = module.perturb(leaf, generator)  # type: ignore[operator]
        terms = module(_context(leaf, summary)._replace(generator=generator)).values()
        (noisy.square().sum() + sum(term.mean() for term in terms)).backward()
        gradients = [leaf.grad, *(weight.grad for weight in module.parameters())]
        if leaf.grad is None or not all(bool(g.isfinite().all()) for g in gradients if g is not None):
            raise ContractViolation("a gradient of the regulariser is not finite, or does not reach the code")


def assert_described(regulariser: nn.Module, codes: Float[Tensor, "b d"]) -> None:
    """What is told of codes are finite numbers, the same whatever the order of the codes."""
    regulariser = frozen(regulariser, torch.float64)
    told, flipped = (
        {name: torch.tensor(float(value)) for name, value in regulariser.describe(each).items()}  # type: ignore[operator]
        for each in (codes, codes.flip(0))
    )
    _require_equal(told, flipped, "described in reverse order")


def _context(codes: Tensor, summary: Summary | None) -> Context:
    """Codes and graphs, after all schedules and without a generator."""
    network = None if summary is None else cast(Summary, frozen(summary, torch.float64))
    return Context(codes, None, _graphs(), network)


def _graphs(reverse: bool = False, extra: int = 0) -> DenseBatch:
    graphs = list(asymmetric_graphs().values())[:GRAPHS]
    largest = max(len(graph.nodes) for graph in graphs)
    return dense(graphs[::-1] if reverse else graphs, pad_to=largest + extra)


@torch.no_grad()
def _terms(regulariser: nn.Module, context: Context) -> dict[str, Tensor]:
    terms = frozen(regulariser, torch.float64)(context)
    return {name: term.mean() for name, term in terms.items()}


@torch.no_grad()
def _perturbed(regulariser: nn.Module, codes: Tensor) -> Tensor:
    return regulariser.perturb(codes, torch.Generator().manual_seed(0))  # type: ignore[operator]


def _require_equal(first: dict[str, Tensor], other: dict[str, Tensor], how: str) -> None:
    if first.keys() != other.keys():
        raise ContractViolation(f"codes {how} have other terms: {sorted(first)}, {sorted(other)}")
    for name, value in first.items():
        if not torch.isclose(value, other[name], rtol=1e-9, atol=1e-12):
            raise ContractViolation(f"{name} of codes {how} is {float(other[name])}, was {float(value)}")
