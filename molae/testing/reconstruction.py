"""Whether what is decoded moves with the input: of models, and of encoders with a stand-in decoder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from molae.batch.dense import DenseBatch
from molae.groups.action import GroupAction
from molae.testing.actions import frame_determined, positions_of, rigid_motion
from molae.testing.fixtures import dense
from molae.testing.motions import Motion, draw_motions, move_all
from molae.testing.report import ContractViolation, Graphs, frozen, named, require_close
from molae.types import Decoded, Encoding, Graph


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
    motions = draw_motions(by_name, seed)
    rest, rest_batch = _reconstruct(model, move_all(by_name, None, dtype), dtype)
    moved, batch = _reconstruct(model, move_all(by_name, motions, dtype), dtype)
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
    rotation, translation = rigid_motion(rest[2])
    expected = GroupAction(
        slot, turn @ rotation, (turn @ translation.unsqueeze(2)).squeeze(2) + shift, rest[2].diagnostics
    )
    inside = batch.mask.unsqueeze(2)
    # g(h·x)⁻¹ and then h g(x), which must be a symmetry of h·x.
    symmetry = _through_slots(moved[2], expected, batch.pos, batch.mask)
    compare(
        symmetry * inside,
        positions_of(batch) * inside,
        what="the action does not move with the input, off",
    )
    _require_same_graph(moved[2], expected, batch, by_name, determined)
    compare(
        _through_slots(moved[2], expected, moved[2].positions(moved_pos), batch.mask) * inside,
        expected.positions(pos) * inside,
        what="the reconstruction does not move with the input, off",
    )


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
def _reconstruct(
    model: nn.Module, graphs: list[Graph], dtype: torch.dtype
) -> tuple[tuple[Encoding, Decoded, GroupAction], DenseBatch]:
    batch = dense(graphs, dtype)
    return model.reconstruct(batch), batch  # type: ignore[operator]


def _decoded_positions(decoded: Decoded, batch: DenseBatch) -> Float[Tensor, "b m 3"]:
    if decoded.pos is None:
        raise ContractViolation("nothing was decoded for the positions of graphs that have them")
    return decoded.pos[:, : batch.mask.shape[1]]


def _distances(decoded: Decoded, action: GroupAction, batch: DenseBatch) -> Float[Tensor, "b m m"]:
    """Distance of each node, in the frame of the action, from each decoded slot."""
    rotation, translation = rigid_motion(action)
    framed = (positions_of(batch) - translation.unsqueeze(1)) @ rotation
    return torch.cdist(framed, _decoded_positions(decoded, batch))


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
    """Raises unless to go back by one action and on by another leaves nodes and edges as they are."""
    nodes = there.nodes(here.canonical_nodes(batch.nodes))
    edges = there.edges(here.canonical_edges(batch.edges))
    same = (nodes == batch.nodes).flatten(1).all(1) & (edges == batch.edges).flatten(1).all(1)
    if batch.numbers is not None:
        same &= (there.nodes(here.canonical_nodes(batch.numbers)) == batch.numbers).flatten(1).all(1)
    if batch.edge_features is not None:
        moved = there.edges(here.canonical_edges(batch.edge_features))
        same &= (moved == batch.edge_features).flatten(1).all(1)
    bad = [name for name, ok in zip(names, (same | ~applies).tolist(), strict=True) if not ok]
    if bad:
        raise ContractViolation(f"the permutation does not move with the input: {', '.join(bad)}")
