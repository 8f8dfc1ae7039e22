"""What every encoder must do.

An encoder is any `torch.nn.Module` that takes a `DenseBatch` and returns an `Encoding`; give it generic
weights (`with_generic_weights`), for weights that are zero hide faults. A model is one that has `encode`,
`decode` and `reconstruct` as `molae.autoencoder.Autoencoder` has.

Encoders of graphs without positions, which say so by `coordinates = False`, are held to renumberings and to
telling isomers apart; or, given those of `molae.testing.attributed`, graphs that differ in a direction or a
number. What follows is of those with positions.

Where a graph is symmetric, some encoders cannot find a frame, and say so by the figure `degeneracy` of the
action. Of these, invariance is not asked on that graph; see `frame_determined`. On graphs without symmetry
every encoder must find one, see `assert_frame_determined`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.testing.actions import frame_determined, require_permutation, rigid_motion
from molae.testing.fixtures import (
    all_graphs,
    asymmetric_graphs,
    chiral_pairs,
    degenerate_graphs,
    dense,
    isomer_pairs,
    isomers,
)
from molae.testing.motions import draw_motions, mirror_image, move_all
from molae.testing.reconstruction import WithStandInDecoder, assert_reconstruction_equivariant
from molae.testing.report import (
    ContractViolation,
    Graphs,
    Report,
    frozen,
    named,
    require_close,
    run_checks,
)
from molae.types import Encoding, Graph


def check_encoder(
    encoder: nn.Module,
    graphs: Mapping[str, Graph] | None = None,
    pairs: Mapping[str, tuple[Graph, Graph]] | None = None,
    dtype: torch.dtype = torch.float64,
) -> Report:
    """Runs all assertions of this module on an encoder.

    Args:
        encoder: Takes the categories of `molae.testing.SCHEMA`, or of `ISOMER_SCHEMA` if it has no
            coordinates, unless other graphs are given.
        graphs: Graphs by name; those of `molae.testing.fixtures` unless given.
        pairs: Mirror images, or other isomers, that must be told apart; likewise.
        dtype: Precision, float64 or float32.
    Returns:
        What passed and what failed, by the names of the assertions; its `require()` raises.

    Example:
        >>> from molae.align import ALIGNERS
        >>> from molae.encoder import ENCODERS
        >>> from molae.testing import SCHEMA, with_generic_weights
        >>> aligner = ALIGNERS.build({"name": "canonical"}, SCHEMA, 8)
        >>> settings = {"name": "slots", "width": 8, "head_width": 16}
        >>> encoder = with_generic_weights(ENCODERS.build(settings, SCHEMA, aligner, 12))
        >>> some = {name: all_graphs()[name] for name in ("methane", "benzene", "alanine")}
        >>> print(check_encoder(encoder, some))
        11 checks passed, 0 failed
    """
    return run_checks(encoder_checks(encoder, graphs, pairs, dtype))


def encoder_checks(
    encoder: nn.Module,
    graphs: Mapping[str, Graph] | None = None,
    pairs: Mapping[str, tuple[Graph, Graph]] | None = None,
    dtype: torch.dtype = torch.float64,
) -> dict[str, Callable[[], None]]:
    """The checks that `check_encoder` runs, by name, to be run one by one."""
    if not getattr(encoder, "coordinates", True):
        return _checks_without_positions(
            encoder,
            isomers() if graphs is None else dict(graphs),
            isomer_pairs() if pairs is None else dict(pairs),
            dtype,
        )
    everything = all_graphs() if graphs is None else dict(graphs)
    plain = {name: graph for name, graph in everything.items() if graph is asymmetric_graphs().get(name)}
    hands = chiral_pairs() if pairs is None else dict(pairs)
    return {
        **_common_checks(encoder, everything, dtype),
        "assert_valid_rotation": partial(assert_valid_rotation, encoder, everything, dtype),
        "assert_frame_determined": partial(assert_frame_determined, encoder, plain),
        "assert_mirror_parity": partial(assert_mirror_parity, encoder, everything, dtype),
        "assert_chiral_pairs_differ": partial(assert_chiral_pairs_differ, encoder, hands),
        "assert_finite_gradients": partial(assert_finite_gradients, encoder, dtype=dtype),
    }


def _common_checks(
    encoder: nn.Module, graphs: Mapping[str, Graph], dtype: torch.dtype
) -> dict[str, Callable[[], None]]:
    """What is asked of every encoder, with positions or without."""
    return {
        "assert_deterministic": partial(assert_deterministic, encoder, graphs, dtype),
        "assert_valid_permutation": partial(assert_valid_permutation, encoder, graphs, dtype),
        "assert_invariant": partial(assert_invariant, encoder, graphs, dtype),
        "assert_reconstruction_equivariant": partial(
            assert_reconstruction_equivariant, WithStandInDecoder(encoder), graphs, dtype
        ),
        "assert_padding_invariant": partial(assert_padding_invariant, encoder, graphs, dtype),
        "assert_batch_independent": partial(assert_batch_independent, encoder, graphs, dtype),
    }


def _checks_without_positions(
    encoder: nn.Module,
    graphs: Mapping[str, Graph],
    pairs: Mapping[str, tuple[Graph, Graph]],
    dtype: torch.dtype,
) -> dict[str, Callable[[], None]]:
    return {
        **_common_checks(encoder, graphs, dtype),
        "assert_isomers_differ": partial(assert_chiral_pairs_differ, encoder, pairs),
        "assert_finite_gradients": partial(assert_finite_gradients, encoder, graphs, dtype),
    }


def assert_deterministic(encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64) -> None:
    """At evaluation the same graphs give the same bits, whatever the state of the random numbers."""
    encoder, batch = frozen(encoder, dtype), dense(list(named(graphs).values()), dtype)
    codes = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for seed in (0, 1):
            torch.manual_seed(seed)
            codes.append(encoder(batch).invariant)
    if not torch.equal(*codes):
        raise ContractViolation("two evaluations of the same graphs give different codes: is noise left on?")


def assert_valid_permutation(encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64) -> None:
    """At evaluation the permutation gives every slot 0 .. n-1 to exactly one real node."""
    encoding, batch = _encode(frozen(encoder, dtype), list(named(graphs).values()), dtype)
    require_permutation(encoding.action.permutation, batch.mask, named(graphs))


def assert_valid_rotation(encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64) -> None:
    """The rotation is orthogonal with determinant +1, collinear and symmetric graphs not excepted."""
    encoding, _ = _encode(frozen(encoder, dtype), list(named(graphs).values()), dtype)
    rotation, _ = rigid_motion(encoding.action)
    unit = torch.eye(3, dtype=rotation.dtype).expand_as(rotation)
    require_close(rotation @ rotation.mT, unit, named(graphs), "the rotation is not orthogonal, off")
    sign = torch.linalg.det(rotation)
    require_close(sign, torch.ones_like(sign), named(graphs), "the rotation's determinant is not +1, off")


def assert_frame_determined(encoder: nn.Module, graphs: Graphs) -> None:
    """On these graphs, which should have no symmetry, the encoder finds a frame in float64."""
    if not (by_name := named(graphs)):
        return
    encoding, batch = _encode(frozen(encoder, torch.float64), list(by_name.values()), torch.float64)
    found = frame_determined(encoding.action, batch).tolist()
    without = [name for name, there in zip(by_name, found, strict=True) if not there]
    if without:
        raise ContractViolation(
            f"no frame for {', '.join(without)}, which have no symmetry that would excuse it"
        )


def assert_invariant(
    encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64, seed: int = 0
) -> None:
    """Rotation, translation, renumbering and all at once leave the code as it is.

    Args:
        encoder: The encoder.
        graphs: One graph, or several.
        dtype: Precision, which sets the tolerance.
        seed: Decides the motions.
    Raises:
        ContractViolation: If a code changes by more than rounding.
    """
    encoder, by_name = frozen(encoder, dtype), named(graphs)
    rest, batch = _encode(encoder, move_all(by_name, None, dtype), dtype)
    determined = frame_determined(rest.action, batch)
    motions = draw_motions(by_name, seed)
    for part in next(iter(motions.values())).parts():
        moved, _ = _encode(
            encoder, move_all(by_name, {name: h.parts()[part] for name, h in motions.items()}, dtype), dtype
        )
        what = f"the code changes when a graph is {part},"
        require_close(moved.invariant, rest.invariant, by_name, what, determined)


def assert_mirror_parity(encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64) -> None:
    """A reflection leaves the even part of the code, and negates its last `encoder.odd_size` channels."""
    encoder, by_name = frozen(encoder, dtype), named(graphs)
    single = dtype == torch.float32
    images = [mirror_image(graph, single) for graph in by_name.values()]
    (first, _), (second, _) = (
        _encode(encoder, each, dtype) for each in (move_all(by_name, None, dtype), images)
    )
    even = first.invariant.shape[1] - int(encoder.odd_size)  # type: ignore[arg-type]
    require_close(
        second.invariant[:, :even],
        first.invariant[:, :even],
        by_name,
        "a reflection changes the even part of the code",
    )
    require_close(
        second.invariant[:, even:],
        -first.invariant[:, even:],
        by_name,
        "a reflection does not negate the odd part of the code, off",
    )


def assert_padding_invariant(
    encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64, extra: int = 3
) -> None:
    """Padding to `extra` more nodes leaves the code as it is."""
    encoder, by_name = frozen(encoder, dtype), named(graphs)
    plain = _encode(encoder, list(by_name.values()), dtype)[0]
    most = max(len(graph) for graph in by_name.values())
    with torch.no_grad():
        padded = encoder(dense(list(by_name.values()), dtype, most + extra))
    require_close(padded.invariant, plain.invariant, by_name, "the code changes with padding,")


def assert_batch_independent(encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64) -> None:
    """A graph has the same code alone and in a batch, and a batch in reverse gives its codes in reverse."""
    encoder, by_name = frozen(encoder, dtype), named(graphs)
    several = list(by_name.values())
    together = _encode(encoder, several, dtype)[0].invariant
    alone = torch.cat([_encode(encoder, [graph], dtype)[0].invariant for graph in several])
    require_close(together, alone, by_name, "the code in a batch is another than alone,")
    reverse = _encode(encoder, several[::-1], dtype)[0].invariant.flip(0)
    require_close(reverse, alone, by_name, "the code depends on the order of the batch,")


def assert_chiral_pairs_differ(
    encoder: nn.Module,
    pairs: Mapping[str, tuple[Graph, Graph]],
    least: float = 1e-6,
) -> None:
    """The codes of two mirror images, or other pairs, differ by `least` of the largest channel, in float64.

    Where the encoder finds no frame for a symmetric pair, it is excused.
    """
    if not pairs:
        return
    encoder = frozen(encoder, torch.float64)
    left, batch = _encode(encoder, [pair[0] for pair in pairs.values()], torch.float64)
    right, _ = _encode(encoder, [pair[1] for pair in pairs.values()], torch.float64)
    apart = (left.invariant - right.invariant).abs().amax(1) / left.invariant.abs().amax(1)
    different = (apart >= least) | ~frame_determined(left.action, batch)
    alike = [name for name, ok in zip(pairs, different.tolist(), strict=True) if not ok]
    if alike:
        raise ContractViolation(f"both of a pair have the same code: {', '.join(alike)}")


def assert_finite_gradients(
    encoder: nn.Module, graphs: Graphs | None = None, dtype: torch.dtype = torch.float64
) -> None:
    """Codes, reconstructions and all gradients are finite, in training and at evaluation.

    Args:
        encoder: The encoder.
        graphs: Those with coincident, collinear and planar points unless given; all with positions, or none.
        dtype: Precision.
    Raises:
        ContractViolation: If a number is infinite or not a number.
    """
    by_name = named(degenerate_graphs() if graphs is None else graphs)
    for training in (True, False):
        module = frozen(encoder, dtype).train(training)
        mode = "training" if training else "evaluation"
        for name, graph in by_name.items():
            batch = dense([graph], dtype)
            if batch.pos is not None:
                batch.pos.requires_grad_()
            encoding = module(batch)
            values = [encoding.invariant, *encoding.losses.values()]
            if batch.pos is not None:
                values.append(encoding.action.positions(_stand_in_positions(batch, dtype)))
            total = torch.stack([value.square().sum() for value in values]).sum()
            total.backward()
            gradients = {key: weight.grad for key, weight in module.named_parameters()}
            if batch.pos is not None:
                gradients["the positions"] = batch.pos.grad
            for key, value in {"the result": total, **gradients}.items():
                if value is not None and not bool(value.isfinite().all()):
                    what = key if value is total else f"the gradient of {key}"
                    raise ContractViolation(f"{what} is not finite in {mode} for {name}")


@torch.no_grad()
def _encode(encoder: nn.Module, graphs: list[Graph], dtype: torch.dtype) -> tuple[Encoding, DenseBatch]:
    batch = dense(graphs, dtype)
    return encoder(batch), batch


def _stand_in_positions(batch: DenseBatch, dtype: torch.dtype) -> Float[Tensor, "b m 3"]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(*batch.mask.shape, 3, generator=random, dtype=torch.float64).to(dtype)
