"""What every decoder must do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.batch.schema import PairReversal
from molae.testing.fixtures import dense
from molae.testing.report import ContractViolation, Report, frozen, require_close, run_checks
from molae.types import Decoded, Graph


def check_decoder(
    decoder: nn.Module, code_size: int, max_nodes: int, back: PairReversal | None = None
) -> Report:
    """Runs all assertions of this module that need no encoder, in float64.

    Args:
        decoder: The decoder, with generic weights.
        code_size: Channels of its code.
        max_nodes: Its most slots.
        back: How pairs look from their other node, where edges have directions (`Schema.reversed_pair`).
    Returns:
        What passed and what failed, by the names of the assertions; its `require()` raises.

    Example:
        >>> from molae.nn.channels import CodeChannels
        >>> from molae.decoder import DECODERS
        >>> from molae.testing import SCHEMA, with_generic_weights
        >>> config = {"name": "slots", "width": 8, "head_width": 16}
        >>> decoder = DECODERS.build(config, SCHEMA, CodeChannels(0, 9, 3))
        >>> print(check_decoder(with_generic_weights(decoder), 12, SCHEMA.max_nodes))
        5 checks passed, 0 failed
    """
    codes = random_codes(8, code_size)
    directed = {"assert_directions_told": partial(assert_directions_told, decoder, codes, max_nodes)}
    return run_checks(
        {
            **(directed if back else {}),
            "assert_symmetric_edges": partial(assert_symmetric_edges, decoder, codes, max_nodes, back),
            "assert_slots_consistent": partial(assert_slots_consistent, decoder, codes, max_nodes),
            "assert_codes_decoded_alone": partial(assert_codes_decoded_alone, decoder, codes, max_nodes),
            "assert_decoder_deterministic": partial(assert_decoder_deterministic, decoder, codes, max_nodes),
            "assert_decoder_gradients": partial(assert_decoder_gradients, decoder, codes, max_nodes),
        }
    )


def assert_symmetric_edges(
    decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int, back: PairReversal | None = None
) -> None:
    """What is decoded of a pair is the same from both its ends, but for the direction of edges."""
    decoded = _decode(frozen(decoder, torch.float64), codes, slots)
    for told, order in (
        (decoded.edge_logits, back and back.categories),
        (decoded.edge_numbers, back and back.numbers),
    ):
        if told is not None:
            seen = told if order is None else told[..., list(order)]
            require_close(seen.transpose(1, 2), told, _numbers(codes), "edge scores are not symmetric, off")


def assert_directions_told(decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int) -> None:
    """The two directions of an edge have scores of their own."""
    edges = _decode(frozen(decoder, torch.float64), codes, slots).edge_logits
    if float((edges - edges.transpose(1, 2)).abs().max()) < 1e-6:
        raise ContractViolation("edge scores are the same in both directions")


def assert_slots_consistent(decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int) -> None:
    """Fewer slots give the first ones of more, for all graphs that fit into them."""
    decoder = frozen(decoder, torch.float64)
    size = _decode(decoder, codes, slots).size_logits.argmax(-1)
    for fewer in {slots // 2, slots - 1} - {0}:
        fitting = codes[size <= fewer]
        every, some = _decode(decoder, fitting, slots), _decode(decoder, fitting, fewer)
        pairs = {
            name: getattr(every, name)[:, :, :fewer]
            for name in ("edge_logits", "edge_numbers")
            if getattr(every, name) is not None
        }
        cut = _map(every._replace(**pairs), _taking(fewer))
        cut = cut._replace(size_logits=every.size_logits)
        _require_same(some, cut, f"with {fewer} of {slots} slots")


def assert_codes_decoded_alone(decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int) -> None:
    """Codes in another order, or one by one, decode to the same graphs: no code sees another."""
    decoder = frozen(decoder, torch.float64)
    together = _decode(decoder, codes, slots)
    _require_same(_flipped(_decode(decoder, codes.flip(0), slots)), together, "in reverse order")
    single = [_decode(decoder, code.unsqueeze(0), slots) for code in codes]
    joined = Decoded(
        size_logits=torch.cat([each.size_logits for each in single]),
        node_logits=tuple(map(torch.cat, zip(*(each.node_logits for each in single), strict=True))),
        edge_logits=torch.cat([each.edge_logits for each in single]),
        pos=_joined([each.pos for each in single]),
        numbers=_joined([each.numbers for each in single]),
        edge_numbers=_joined([each.edge_numbers for each in single]),
    )
    _require_same(joined, together, "one by one")


def assert_decoder_deterministic(decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int) -> None:
    """At evaluation the same codes give the same bits, whatever the state of the random numbers."""
    decoder = frozen(decoder, torch.float64)
    decoded = []
    with torch.random.fork_rng(devices=[]):
        for seed in (0, 1):
            torch.manual_seed(seed)
            decoded.append(_decode(decoder, codes, slots))
    if not all(torch.equal(a, b) for a, b in zip(*map(_tensors, decoded), strict=True)):
        raise ContractViolation("two evaluations of the same codes decode to different graphs")


def assert_decoder_gradients(decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int) -> None:
    """Gradients are finite, where all decoded positions coincide too."""
    module = frozen(decoder, torch.float64).train()
    still = frozen(decoder, torch.float64).train()
    with torch.no_grad():
        for weight in still.parameters():
            weight.zero_()
    for each, state in ((module, "as it is"), (still, "with all weights 0")):
        leaf = codes.detach().double().requires_grad_()
        torch.stack([t.square().sum() for t in _tensors(each(leaf, slots))]).sum().backward()
        gradients = [leaf.grad, *(weight.grad for weight in each.parameters())]
        if not all(bool(g.isfinite().all()) for g in gradients if g is not None):
            raise ContractViolation(f"a gradient of the decoder {state} is not finite")


def assert_decoder_sees_code_only(model: nn.Module, first: Graph, second: Graph) -> None:
    """To swap the codes of two graphs swaps what is decoded, whichever graphs were encoded last.

    Args:
        model: Has `encode(batch)` and `decode(code)`, as `molae.autoencoder.Autoencoder` has.
        first: A graph.
        second: Another, of any size.
    Raises:
        ContractViolation: If anything but the code reaches the decoded graph.
    """
    model = frozen(model, torch.float64)
    encode, decode = model.encode, model.decode
    with torch.no_grad():
        codes = encode(dense([first, second])).invariant  # type: ignore[operator]
        straight = decode(codes)  # type: ignore[operator]
        swapped = decode(codes.flip(0))  # type: ignore[operator]
        encode(dense([second]))  # type: ignore[operator]
        later = decode(codes[:1])  # type: ignore[operator]
    _require_same(_flipped(swapped), straight, "swapped")
    _require_same(later, _first(straight), "after another graph was encoded")


def random_codes(count: int, size: int) -> Float[Tensor, "b d"]:
    """Normal codes, always the same."""
    return torch.randn(count, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@torch.no_grad()
def _decode(decoder: nn.Module, codes: Tensor, slots: int) -> Decoded:
    return decoder(codes, slots)


def _tensors(decoded: Decoded) -> list[Tensor]:
    some = [each for each in (decoded.pos, decoded.numbers, decoded.edge_numbers) if each is not None]
    return [decoded.size_logits, *decoded.node_logits, decoded.edge_logits, *some]


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _numbers(codes: Tensor) -> list[str]:
    return [f"code {number}" for number in range(len(codes))]


def _require_same(got: Decoded, expected: Decoded, how: str) -> None:
    for a, b in zip(_tensors(got), _tensors(expected), strict=True):
        require_close(a, b, _numbers(b), f"codes decoded {how} give another graph, off")


def _taking(slots: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor[:, :slots]


def _flipped(decoded: Decoded) -> Decoded:
    """The graphs in reverse order."""
    return _map(decoded, lambda tensor: tensor.flip(0))


def _first(decoded: Decoded) -> Decoded:
    """The first graph."""
    return _map(decoded, lambda tensor: tensor[:1])


def _map(decoded: Decoded, change: Callable[[Tensor], Tensor]) -> Decoded:
    return Decoded(
        size_logits=change(decoded.size_logits),
        node_logits=tuple(map(change, decoded.node_logits)),
        edge_logits=change(decoded.edge_logits),
        pos=None if decoded.pos is None else change(decoded.pos),
        numbers=None if decoded.numbers is None else change(decoded.numbers),
        edge_numbers=None if decoded.edge_numbers is None else change(decoded.edge_numbers),
    )
