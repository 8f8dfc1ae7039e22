"""What every decoder must do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molae.testing.fixtures import dense
from molae.testing.report import ContractViolation, Report, frozen, require_close, run_checks
from molae.types import Decoded, Graph


def check_decoder(decoder: nn.Module, code_size: int, max_nodes: int) -> Report:
    """Runs all assertions of this module that need no encoder, in float64.

    Args:
        decoder: The decoder, with generic weights.
        code_size: Channels of its code.
        max_nodes: Its most slots.
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
    return run_checks(
        {
            "assert_symmetric_edges": partial(assert_symmetric_edges, decoder, codes, max_nodes),
            "assert_slots_consistent": partial(assert_slots_consistent, decoder, codes, max_nodes),
            "assert_codes_decoded_alone": partial(assert_codes_decoded_alone, decoder, codes, max_nodes),
            "assert_decoder_deterministic": partial(assert_decoder_deterministic, decoder, codes, max_nodes),
            "assert_decoder_gradients": partial(assert_decoder_gradients, decoder, codes, max_nodes),
        }
    )


def assert_symmetric_edges(decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int) -> None:
    """The scores of an edge are the same from both its ends."""
    decoder = frozen(decoder, torch.float64)
    edges = _decode(decoder, codes, slots).edge_logits
    require_close(edges.transpose(1, 2), edges, _numbers(codes), "edge scores are not symmetric, off")


def assert_slots_consistent(decoder: nn.Module, codes: Float[Tensor, "b d"], slots: int) -> None:
    """Fewer slots give the first ones of more, for all graphs that fit into them."""
    decoder = frozen(decoder, torch.float64)
    size = _decode(decoder, codes, slots).size_logits.argmax(-1)
    for fewer in {slots // 2, slots - 1} - {0}:
        fitting = codes[size <= fewer]
        every, some = _decode(decoder, fitting, slots), _decode(decoder, fitting, fewer)
        cut = _map(every._replace(edge_logits=every.edge_logits[:, :, :fewer]), _taking(fewer))
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
        pos=None
        if together.pos is None
        else torch.cat([each.pos for each in single if each.pos is not None]),
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
    pos = [] if decoded.pos is None else [decoded.pos]
    return [decoded.size_logits, *decoded.node_logits, decoded.edge_logits, *pos]


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
    )
