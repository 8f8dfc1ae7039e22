"""What every regulariser must do."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.regularise import Context
from molae.testing.decoders import random_codes
from molae.testing.report import ContractViolation, Report, frozen, run_checks

STEPS = (0, 10_000, None)
"""Steps that terms are tried at: the first, a later one, and after all schedules."""


def check_regulariser(regulariser: nn.Module, code_size: int, odd_size: int = 0) -> Report:
    """Runs all assertions of this module, in float64.

    Args:
        regulariser: The regulariser, with generic weights.
        code_size: Channels of the code.
        odd_size: How many of them, the last, are pseudo-scalars.
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
    codes = random_codes(16, code_size)
    return run_checks(
        {
            "assert_terms_mirror": partial(assert_terms_mirror, regulariser, codes, odd_size),
            "assert_terms_repeat": partial(assert_terms_repeat, regulariser, codes),
            "assert_noise_seeded": partial(assert_noise_seeded, regulariser, codes),
            "assert_regulariser_gradients": partial(assert_regulariser_gradients, regulariser, codes),
            "assert_described": partial(assert_described, regulariser, codes),
        }
    )


def assert_terms_mirror(regulariser: nn.Module, codes: Float[Tensor, "b d"], odd_size: int) -> None:
    """Mirror images, whose odd channels are negated, cost the same."""
    regulariser = frozen(regulariser, torch.float64)
    sign = torch.ones(codes.shape[1], dtype=codes.dtype)
    sign[codes.shape[1] - odd_size :] = -1
    for step in STEPS:
        _require_equal(_terms(regulariser, codes, step), _terms(regulariser, sign * codes, step), "mirrored")


def assert_terms_repeat(regulariser: nn.Module, codes: Float[Tensor, "b d"]) -> None:
    """The same codes cost the same again, and whatever their order: terms are no matter of chance."""
    regulariser = frozen(regulariser, torch.float64)
    for step in STEPS:
        first = _terms(regulariser, codes, step)
        _require_equal(first, _terms(regulariser, codes, step), "a second time")
        _require_equal(first, _terms(regulariser, codes.flip(0), step), "in reverse order")


def assert_noise_seeded(regulariser: nn.Module, codes: Float[Tensor, "b d"]) -> None:
    """The noise comes from the generator that is given, and from nowhere else."""
    regulariser = frozen(regulariser, torch.float64)
    before = torch.random.get_rng_state()
    first, again = (_perturbed(regulariser, codes) for _ in range(2))
    if not torch.equal(first, again):
        raise ContractViolation("the same seed gives other noise")
    if not torch.equal(before, torch.random.get_rng_state()):
        raise ContractViolation("the noise takes from the random numbers of others")
    if first.shape != codes.shape or not bool(first.isfinite().all()):
        raise ContractViolation("codes with noise are not finite, or have another shape")


def assert_regulariser_gradients(regulariser: nn.Module, codes: Float[Tensor, "b d"]) -> None:
    """Gradients are finite, also where all codes are 0, and reach the codes with noise."""
    module = frozen(regulariser, torch.float64).train()
    for values in (codes, torch.zeros_like(codes)):
        leaf = values.detach().double().requires_grad_()
        noisy = module.perturb(leaf, torch.Generator().manual_seed(0))  # type: ignore[operator]
        terms = module(Context(leaf, None)).values()
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


@torch.no_grad()
def _terms(regulariser: nn.Module, codes: Tensor, step: int | None) -> dict[str, Tensor]:
    return {name: term.mean() for name, term in regulariser(Context(codes, step)).items()}


@torch.no_grad()
def _perturbed(regulariser: nn.Module, codes: Tensor) -> Tensor:
    return regulariser.perturb(codes, torch.Generator().manual_seed(0))  # type: ignore[operator]


def _require_equal(first: dict[str, Tensor], other: dict[str, Tensor], how: str) -> None:
    if first.keys() != other.keys():
        raise ContractViolation(f"codes {how} have other terms: {sorted(first)}, {sorted(other)}")
    for name, value in first.items():
        if not torch.isclose(value, other[name], rtol=1e-9, atol=1e-12):
            raise ContractViolation(f"{name} of codes {how} is {float(other[name])}, was {float(value)}")
