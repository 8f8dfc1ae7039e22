"""What every group must do: the axioms, and an action that keeps them.

A group is anything that has the methods of `molae.groups.Group`. Elements are compared number by number, so
that one element must not have two representations. Groups that declare their action approximate (`exact` is
False) are held to the axioms of their elements all the same, and to those of the action within a share of
the size of the data: give such groups data that can be resampled, such as smooth images with a margin.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from molae.groups import Group
from molae.testing.report import TOLERANCE, ContractViolation, Report, run_checks

#: Largest deviation of an approximate action, as a share of the root mean square of the data.
APPROXIMATE = 0.15


def check_group(group: Group[Any], x: Tensor, seed: int = 0) -> Report:
    """Runs all assertions of this module on a group.

    Args:
        group: The group.
        x: A batch of data that the group acts on, in float64 or float32; one row or more.
        seed: Decides which elements are drawn.
    Returns:
        What passed and what failed, by the names of the assertions; its `require()` raises.

    Example:
        >>> from molae.groups import SpecialEuclidean
        >>> print(check_group(SpecialEuclidean(3), torch.randn(8, 5, 3, dtype=torch.float64)))
        6 checks passed, 0 failed
    """
    assertions = (
        assert_associative,
        assert_identity_neutral,
        assert_inverse_undoes,
        assert_action_composes,
        assert_closed,
        assert_sampling_seeded,
    )
    return run_checks({assertion.__name__: partial(assertion, group, x, seed) for assertion in assertions})


def assert_associative(group: Group[Any], x: Tensor, seed: int = 0) -> None:
    """Requires (a b) c = a (b c)."""
    a, b, c = _draw(group, x, seed, 3)
    left, right = group.compose(group.compose(a, b), c), group.compose(a, group.compose(b, c))
    _require_same(left, right, x, "(a b) c and a (b c) differ")


def assert_identity_neutral(group: Group[Any], x: Tensor, seed: int = 0) -> None:
    """Requires a e = e a = a, and that e leaves the data as they are, where the action is approximate too."""
    (a,) = _draw(group, x, seed, 1)
    e = group.identity(len(x), dtype=x.dtype)
    _require_same(group.compose(a, e), a, x, "a e and a differ")
    _require_same(group.compose(e, a), a, x, "e a and a differ")
    _require_same(group.act(e, x), x, x, "e x and x differ")


def assert_inverse_undoes(group: Group[Any], x: Tensor, seed: int = 0) -> None:
    """Requires a a⁻¹ = a⁻¹ a = e, and a⁻¹ (a x) = x."""
    (a,) = _draw(group, x, seed, 1)
    back, e = group.inverse(a), group.identity(len(x), dtype=x.dtype)
    _require_same(group.compose(a, back), e, x, "a a⁻¹ and e differ")
    _require_same(group.compose(back, a), e, x, "a⁻¹ a and e differ")
    _require_action(group, group.act(back, group.act(a, x)), x, "a⁻¹ (a x) and x differ")


def assert_action_composes(group: Group[Any], x: Tensor, seed: int = 0) -> None:
    """Requires (a b) x = a (b x): first b, then a."""
    a, b = _draw(group, x, seed, 2)
    left, right = group.act(group.compose(a, b), x), group.act(a, group.act(b, x))
    _require_action(group, left, right, "(a b) x and a (b x) differ")


def assert_closed(group: Group[Any], x: Tensor, seed: int = 0) -> None:
    """Requires that `contains` knows the neutral element, samples, their products and inverses."""
    a, b = _draw(group, x, seed, 2)
    e = group.identity(len(x), dtype=x.dtype)
    found = {"e": e, "a sample": a, "a product": group.compose(a, b), "an inverse": group.inverse(a)}
    for name, element in found.items():
        inside = group.contains(element, tolerance=float(TOLERANCE[x.dtype]))
        if inside.shape != (len(x),) or not bool(inside.all()):
            raise ContractViolation(f"`contains` must be True, once for each of {len(x)}, for {name}")


def assert_sampling_seeded(group: Group[Any], x: Tensor, seed: int = 0) -> None:
    """Requires the same samples for the same seed, and that not all of a batch are alike."""
    once, again = _draw(group, x, seed, 1)[0], _draw(group, x, seed, 1)[0]
    for first, second in zip(_parts(once), _parts(again), strict=True):
        if not torch.equal(first, second):
            raise ContractViolation("samples differ for the same seed: draw them from `generator`")
    many = list(_parts(group.sample(64, generator=_generator(seed), dtype=x.dtype)))
    if all(len(part.unique(dim=0)) < 2 for part in many):
        raise ContractViolation("64 samples are all the same element")


def _draw(group: Group[Any], x: Tensor, seed: int, count: int) -> list[Any]:
    generator = _generator(seed)
    return [group.sample(len(x), generator=generator, dtype=x.dtype) for _ in range(count)]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _parts(element: Any) -> Iterator[Tensor]:
    """The tensors of an element."""
    if isinstance(element, Tensor):
        yield element
    else:
        for part in element:
            yield from _parts(part)


def _require_same(got: Any, expected: Any, x: Tensor, what: str) -> None:
    """Compares elements, or data, to rounding."""
    for left, right in zip(_parts(got), _parts(expected), strict=True):
        tolerance = TOLERANCE[x.dtype] * max(1.0, float(right.abs().max()))
        _require_small((left - right).abs().double().max(), tolerance, what)


def _require_action(group: Group[Any], got: Tensor, expected: Tensor, what: str) -> None:
    """Compares data that were acted on, as well as the group says that it acts."""
    if group.exact:
        _require_same(got, expected, expected, what)
    else:
        deviation = (got - expected).square().mean().sqrt() / expected.square().mean().sqrt()
        _require_small(deviation, APPROXIMATE, f"{what} for an approximate action, as a share of the data,")


def _require_small(deviation: Tensor, tolerance: float, what: str) -> None:
    # So that NaN fails too.
    if not float(deviation) <= tolerance:
        raise ContractViolation(f"{what} by {float(deviation):.1e}; at most {tolerance:.1e} is allowed")
