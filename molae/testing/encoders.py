"""What every encoder must do.

An encoder is any `torch.nn.Module` that takes a `DenseBatch` and returns an `Encoding`; give it generic
weights (`with_generic_weights`), for weights that are zero hide faults. A model is one that has `encode`,
`decode` and `reconstruct` as `molae.autoencoder.Autoencoder` has.

Encoders of graphs without positions, which say so by `coordinates = False`, are held to renumberings and to
telling isomers apart; what follows is of those with positions.

Where a graph is symmetric, some encoders cannot find a frame, and say so by the figure `degeneracy` of the
action. Of these, invariance is not asked on that graph; see `frame_determined`. On graphs without symmetry
every encoder must find one, see `assert_frame_determined`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.groups.action import GroupAction
from molae.testing.fixtures import (
    all_graphs,
    asymmetric_graphs,
    chiral_pairs,
    degenerate_graphs,
    dense,
    isomer_pairs,
    isomers,
)
from molae.testing.motions import Motion, mirror_image
from molae.testing.report import (
    ContractViolation,
    Graphs,
    Report,
    frozen,
    named,
    require_close,
    run_checks,
)
from molae.types import Decoded, Encoding, Graph

#: Degeneracy above which a frame counts as determined: rounding over this stays below the tolerance.
DETERMINED = {torch.float64: 1e-6, torch.float32: 1e-2}


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
    rotation, _ = _rigid(encoding.action)
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
    rest, batch = _encode(encoder, _moved(by_name, None, dtype), dtype)
    determined = frame_determined(rest.action, batch)
    motions = _motions(by_name, seed)
    for part in next(iter(motions.values())).parts():
        moved, _ = _encode(
            encoder, _moved(by_name, {name: h.parts()[part] for name, h in motions.items()}, dtype), dtype
        )
        what = f"the code changes when a graph is {part},"
        require_close(moved.invariant, rest.invariant, by_name, what, determined)


def assert_mirror_parity(encoder: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64) -> None:
    """A reflection leaves the even part of the code, and negates its last `encoder.odd_size` channels."""
    encoder, by_name = frozen(encoder, dtype), named(graphs)
    single = dtype == torch.float32
    images = [mirror_image(graph, single) for graph in by_name.values()]
    (first, _), (second, _) = (
        _encode(encoder, each, dtype) for each in (_moved(by_name, None, dtype), images)
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


def assert_reconstruction_equivariant(
    model: nn.Module, graphs: Graphs, dtype: torch.dtype = torch.float64, seed: int = 0
) -> None:
    """What is decoded, moved by the action, moves with the input: g(h·x) x̂(h·x) = h · g(x) x̂(x).

    On symmetric graphs this holds up to a symmetry of the input: the actions for x and for h·x then differ by
    s = h g(x) g(h·x)⁻¹. That s maps h·x onto itself is checked, node by node, and that x̂ is the same.

    Args:
        model: Has `reconstruct(batch)`, as `molae.autoencoder.Autoencoder` has; for an encoder alone use
            `WithStandInDecoder`.
        graphs: One graph, or several.
        dtype: Precision, which sets the tolerance.
        seed: Decides the motions.
    Raises:
        ContractViolation: If the reconstruction stays behind.
    """
    model, by_name = frozen(model, dtype), named(graphs)
    motions = _motions(by_name, seed)
    rest, rest_batch = _reconstruct(model, _moved(by_name, None, dtype), dtype)
    moved, batch = _reconstruct(model, _moved(by_name, motions, dtype), dtype)
    determined = frame_determined(rest[0].action, rest_batch)
    compare = partial(require_close, names=by_name, applies=determined)
    # h g(x): slot of each node of h·x, and rigid motion.
    order, turn, shift = _as_tensors(motions, batch, dtype)
    slot = rest[2].permutation.gather(1, order)
    if batch.pos is None:
        compare(moved[1].size_logits, rest[1].size_logits, what="what is decoded changes with the numbering,")
        _require_same_graph(moved[2], GroupAction(slot), batch, by_name, determined)
        return
    pos, moved_pos = (_decoded_positions(each[1], batch) for each in (rest, moved))
    compare(moved_pos, pos, what="the decoded positions change with the pose or numbering of the input,")
    rotation, translation = _rigid(rest[2])
    expected = GroupAction(
        slot, turn @ rotation, (turn @ translation.unsqueeze(2)).squeeze(2) + shift, rest[2].diagnostics
    )
    inside = batch.mask.unsqueeze(2)
    # g(h·x)⁻¹ and then h g(x), which must be a symmetry of h·x.
    symmetry = _through_slots(moved[2], expected, batch.pos, batch.mask)
    compare(
        symmetry * inside,
        _positions(batch) * inside,
        what="the action does not move with the input, off",
    )
    _require_same_graph(moved[2], expected, batch, by_name, determined)
    compare(
        _through_slots(moved[2], expected, moved[2].positions(moved_pos), batch.mask) * inside,
        expected.positions(pos) * inside,
        what="the reconstruction does not move with the input, off",
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


def frame_determined(action: GroupAction, batch: DenseBatch) -> Bool[Tensor, " b"]:
    """Tells for each graph whether its frame is determined, up to symmetries of the graph.

    It is where the degeneracy says so, or where the encoder gives none; or where the graph has no extent
    across the first axis of its frame, as linear molecules and single atoms, for which every completion is as
    good.
    """
    figure = action.diagnostics.get("degeneracy")
    if figure is None:
        return torch.ones(len(batch), dtype=torch.bool)
    rotation, translation = _rigid(action)
    framed = (_positions(batch) - translation.unsqueeze(1)) @ rotation
    across = (framed[..., 1:].abs().amax(2) * batch.mask).amax(1)
    precise = torch.finfo(framed.dtype).eps ** 0.5
    return (figure > DETERMINED[framed.dtype]) | (across < precise)


def require_permutation(permutation: Tensor, mask: Bool[Tensor, "b m"], names: Mapping[str, object]) -> None:
    """Raises unless the real nodes of each graph share its slots 0 .. n-1 and padding the rest."""
    if permutation.ndim != 2 or permutation.is_floating_point():
        raise ContractViolation(
            f"the permutation at evaluation must be indices of shape (b, m), got {permutation.dtype} of "
            f"shape {tuple(permutation.shape)}: is it soft?"
        )
    every = torch.arange(mask.shape[1]).expand_as(mask)
    valid = (permutation.sort(1).values == every).all(1) & ((permutation < mask.sum(1, True)) == mask).all(1)
    if not bool(valid.all()):
        bad = [name for name, ok in zip(names, valid.tolist(), strict=True) if not ok]
        raise ContractViolation(f"not a permutation of the slots 0 .. n-1: {', '.join(bad)}")


class WithStandInDecoder(nn.Module):
    """An encoder that reconstructs by a linear map of its code, to test its action without a decoder.

    Where the encoder has an `aligner`, this has its say on the permutation, as in an autoencoder.

    Args:
        encoder: The encoder.
        slots: Most slots.
    """

    def __init__(self, encoder: nn.Module, slots: int = 64) -> None:
        super().__init__()
        self.encoder = encoder
        self.slots = slots

    def reconstruct(self, batch: DenseBatch) -> tuple[Encoding, Decoded, GroupAction]:
        """Encodes, and decodes positions alone (see `molae.autoencoder.Autoencoder.reconstruct`).

        Of graphs without positions, numbers are decoded that stand for the size.
        """
        encoding = self.encoder(batch)
        code = encoding.invariant
        random = torch.Generator().manual_seed(0)
        weight = torch.randn(code.shape[1], self.slots * 3, generator=random, dtype=torch.float64)
        pos = (code @ weight.to(code.dtype) / code.shape[1] ** 0.5).view(len(code), self.slots, 3)
        nothing = code.new_zeros(len(code), self.slots, self.slots, 1)
        action = encoding.action
        if batch.pos is None:
            return encoding, Decoded(pos.flatten(1), (), nothing, None), action
        decoded = Decoded(code.new_zeros(len(code), 1), (), nothing, pos)
        if (aligner := getattr(self.encoder, "aligner", None)) is not None:
            action = aligner.match(action, partial(_distances, decoded, action, batch), batch)
        return encoding, decoded, action


@torch.no_grad()
def _encode(encoder: nn.Module, graphs: list[Graph], dtype: torch.dtype) -> tuple[Encoding, DenseBatch]:
    batch = dense(graphs, dtype)
    return encoder(batch), batch


@torch.no_grad()
def _reconstruct(
    model: nn.Module, graphs: list[Graph], dtype: torch.dtype
) -> tuple[tuple[Encoding, Decoded, GroupAction], DenseBatch]:
    batch = dense(graphs, dtype)
    return model.reconstruct(batch), batch  # type: ignore[operator]


def _motions(graphs: Mapping[str, Graph], seed: int) -> dict[str, Motion]:
    random = np.random.default_rng(seed)
    return {name: Motion.random(len(graph), random) for name, graph in graphs.items()}


def _moved(
    graphs: Mapping[str, Graph], motions: Mapping[str, Motion] | None, dtype: torch.dtype
) -> list[Graph]:
    """The graphs moved, or as they are, with positions that `dtype` can hold."""
    single = dtype == torch.float32
    if motions is None:
        motions = {name: Motion.identity(len(graph)) for name, graph in graphs.items()}
    return [motions[name].apply(graph, single) for name, graph in graphs.items()]


def _rigid(action: GroupAction) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 3"]]:
    if action.rotation is None or action.translation is None:
        raise ContractViolation("the action of a graph with positions has no rotation or no translation")
    return action.rotation, action.translation


def _positions(batch: DenseBatch) -> Float[Tensor, "b m 3"]:
    if batch.pos is None:
        raise ValueError("these assertions are for graphs with positions")
    return batch.pos


def _decoded_positions(decoded: Decoded, batch: DenseBatch) -> Float[Tensor, "b m 3"]:
    if decoded.pos is None:
        raise ContractViolation("nothing was decoded for the positions of graphs that have them")
    return decoded.pos[:, : batch.mask.shape[1]]


def _distances(decoded: Decoded, action: GroupAction, batch: DenseBatch) -> Float[Tensor, "b m m"]:
    """Distance of each node, in the frame of the action, from each decoded slot."""
    rotation, translation = _rigid(action)
    framed = (_positions(batch) - translation.unsqueeze(1)) @ rotation
    return torch.cdist(framed, _decoded_positions(decoded, batch))


def _stand_in_positions(batch: DenseBatch, dtype: torch.dtype) -> Float[Tensor, "b m 3"]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(*batch.mask.shape, 3, generator=random, dtype=torch.float64).to(dtype)


def _as_tensors(
    motions: Mapping[str, Motion], batch: DenseBatch, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Order, rotation and translation of each motion, the order padded."""
    m = batch.mask.shape[1]
    each = list(motions.values())
    order = np.stack([np.concatenate([h.order, np.arange(len(h.order), m)]) for h in each])
    rotation = torch.from_numpy(np.stack([h.rotation for h in each])).to(dtype)
    return (
        torch.from_numpy(order),
        rotation,
        torch.from_numpy(np.stack([h.translation for h in each])).to(dtype),
    )


def _through_slots(
    here: GroupAction, there: GroupAction, pos: Float[Tensor, "b m 3"] | None, mask: Bool[Tensor, "b m"]
) -> Float[Tensor, "b m 3"]:
    """Moves positions back by one action, and on by another."""
    if pos is None:
        raise ValueError("these assertions are for graphs with positions")
    return there.positions(here.canonical_positions(pos * mask.unsqueeze(2)))


def _require_same_graph(
    here: GroupAction,
    there: GroupAction,
    batch: DenseBatch,
    names: Mapping[str, Graph],
    applies: Bool[Tensor, " b"],
) -> None:
    """Raises unless to go back by one action and on by another leaves categories and edges as they are."""
    nodes = there.nodes(here.canonical_nodes(batch.nodes))
    edges = there.edges(here.canonical_edges(batch.edges))
    same = (nodes == batch.nodes).flatten(1).all(1) & (edges == batch.edges).flatten(1).all(1)
    bad = [name for name, ok in zip(names, (same | ~applies).tolist(), strict=True) if not ok]
    if bad:
        raise ContractViolation(f"the permutation does not move with the input: {', '.join(bad)}")
