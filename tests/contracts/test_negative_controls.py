"""Deliberately broken components: the assertion that is meant for each fault must find it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from registered import CODE, WIDTH, autoencoder, decoder, encoder, regulariser, small_graphs
from torch import nn

import molae.testing as contract
from molae.align import Aligner
from molae.chem.vocabulary import CIS
from molae.groups import GroupAction
from molae.testing import (
    ISOMER_SCHEMA,
    ContractViolation,
    attributed_graphs,
    attributed_pairs,
    attributed_schema,
    check_encoder,
    chiral_pairs,
    encoder_checks,
)
from molae.types import Encoding

SLOTS = {"name": "slots", "width": WIDTH, "head_width": 32}


class Broken(nn.Module):
    """A sound encoder, for subclasses to break.

    It has no `aligner`: where the permutation is broken, nothing must repair it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sound = encoder({**SLOTS, "layers": 1})
        self.odd_size = self.sound.odd_size

    def forward(self, batch):
        return self.sound(batch)


class NodeIndexAsFeature(Broken):
    def forward(self, batch):
        m = batch.mask.shape[1]
        kinds = (batch.nodes[..., 0] + torch.arange(m)) % 13
        nodes = torch.cat([kinds.unsqueeze(2), batch.nodes[..., 1:]], dim=2)
        return self.sound(replace(batch, nodes=nodes))


class NoiseAtEvaluation(Broken):
    def forward(self, batch):
        encoding = self.sound(batch)
        return encoding._replace(invariant=encoding.invariant + 1e-7 * torch.randn_like(encoding.invariant))


class MirrorBlind(Broken):
    """A code of distances alone, in slot order."""

    def forward(self, batch):
        encoding = self.sound(batch)
        framed = encoding.action.canonical_positions(batch.pos) * batch.mask.unsqueeze(2)
        square = (framed.unsqueeze(2) - framed.unsqueeze(1)).square().sum(3)
        return encoding._replace(invariant=square.sum(2)[:, :4])


class RowwiseTopOne(Broken):
    """Each node takes its best slot, whether or not another takes it too."""

    def forward(self, batch):
        encoding = self.sound(batch)
        scores = torch.randn(
            *batch.edges.shape, generator=torch.Generator().manual_seed(0), dtype=batch.pos.dtype
        )
        return encoding._replace(action=replace(encoding.action, permutation=scores.argmax(2)))


class SoftAtEvaluation(Broken):
    def forward(self, batch):
        encoding = self.sound(batch)
        soft = nn.functional.one_hot(encoding.action.permutation).to(batch.pos.dtype)
        return encoding._replace(
            action=replace(encoding.action, permutation=0.9 * soft + 0.1 / soft.shape[1])
        )


class PaddingLeak(Broken):
    """A mean over all rows, padding too."""

    def forward(self, batch):
        encoding = self.sound(batch)
        mean = batch.mask.to(batch.pos.dtype).mean(1, keepdim=True)
        return encoding._replace(invariant=encoding.invariant + mean)


class BatchLeak(Broken):
    def forward(self, batch):
        encoding = self.sound(batch)
        return encoding._replace(invariant=encoding.invariant - encoding.invariant.mean(0))


class BareSquareRoot(Broken):
    def forward(self, batch):
        encoding = self.sound(batch)
        apart = (batch.pos.unsqueeze(2) - batch.pos.unsqueeze(1)).square().sum(3).sqrt()
        pairs = batch.mask.unsqueeze(2) & batch.mask.unsqueeze(1)
        spread = (apart * pairs).sum((1, 2)).unsqueeze(1)
        return encoding._replace(invariant=encoding.invariant + spread)


class CarelessGramSchmidt(Broken):
    def forward(self, batch):
        encoding = self.sound(batch)
        framed = encoding.action.canonical_nodes(batch.pos - encoding.action.translation.unsqueeze(1))
        a = framed[:, 0] / framed[:, 0].norm(dim=1, keepdim=True)
        b = framed[:, -1] - (framed[:, -1] * a).sum(1, keepdim=True) * a
        b = b / b.norm(dim=1, keepdim=True)
        rotation = torch.stack([a, b, torch.linalg.cross(a, b)], dim=2)
        return encoding._replace(action=replace(encoding.action, rotation=rotation))


class FrameOfTheLaboratory(Broken):
    """The code is sound, but the action forgets the rotation."""

    def forward(self, batch):
        encoding = self.sound(batch)
        rotation = torch.eye(3, dtype=batch.pos.dtype).expand(len(batch), 3, 3)
        return encoding._replace(action=replace(encoding.action, rotation=rotation))


class NumberingAsPermutation(Broken):
    """The code is sound, but the action forgets the permutation."""

    def forward(self, batch):
        encoding = self.sound(batch)
        order = torch.arange(batch.mask.shape[1]).expand_as(batch.mask)
        return encoding._replace(action=replace(encoding.action, permutation=order))


class NoFrame(Broken):
    """Says of every graph that it has no frame, to be excused from everything."""

    def forward(self, batch):
        encoding = self.sound(batch)
        return encoding._replace(
            action=replace(encoding.action, diagnostics={"degeneracy": batch.pos.new_zeros(len(batch))})
        )


class OneImageOnly(Broken):
    """Does not average over the mirror images."""

    def forward(self, batch):
        framed = self.sound(batch).action.canonical_positions(batch.pos) * batch.mask.unsqueeze(2)
        encoding = self.sound(batch)
        return encoding._replace(invariant=encoding.invariant + framed.pow(3).sum(1)[:, 2:])


class StaleTies(Broken):
    """Keeps the ranks of one image for the other."""

    def forward(self, batch):
        flipped = replace(batch, tie=batch.tie.flip(1) * batch.mask)
        return self.sound(flipped)


FAULTS = {
    NodeIndexAsFeature: "assert_invariant",
    NoiseAtEvaluation: "assert_deterministic",
    MirrorBlind: "assert_chiral_pairs_differ",
    RowwiseTopOne: "assert_valid_permutation",
    SoftAtEvaluation: "assert_valid_permutation",
    PaddingLeak: "assert_padding_invariant",
    BatchLeak: "assert_batch_independent",
    BareSquareRoot: "assert_finite_gradients",
    CarelessGramSchmidt: "assert_valid_rotation",
    FrameOfTheLaboratory: "assert_reconstruction_equivariant",
    NumberingAsPermutation: "assert_reconstruction_equivariant",
    NoFrame: "assert_frame_determined",
    OneImageOnly: "assert_mirror_parity",
    StaleTies: "assert_invariant",
}


def test_what_the_broken_encoders_are_made_from_is_sound():
    check_encoder(Broken(), small_graphs()).require()


class Flat(nn.Module):
    """A sound encoder of graphs without positions, for subclasses to break."""

    coordinates = False

    def __init__(self) -> None:
        super().__init__()
        self.sound = encoder({**SLOTS, "layers": 1}, schema=ISOMER_SCHEMA)

    def forward(self, batch):
        return self.sound(batch)


class BlindToStereo(Flat):
    """Sees neither parities nor sides of double bonds."""

    def forward(self, batch):
        nodes = batch.nodes.clone()
        nodes[..., -1] = 0
        return self.sound(replace(batch, nodes=nodes, edges=batch.edges.where(batch.edges < CIS, 2)))


class FlatNumbering(Flat):
    """Takes the numbering of the input for the canonical order."""

    def forward(self, batch):
        return self.sound(replace(batch, slot=torch.arange(batch.mask.shape[1]).expand_as(batch.slot)))


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (BlindToStereo, "assert_isomers_differ"),
        (FlatNumbering, "assert_invariant"),
        (FlatNumbering, "assert_reconstruction_equivariant"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_the_suite_finds_a_broken_encoder_of_graphs_without_positions(broken, fault):
    encoder_checks(Flat())[fault]()
    with pytest.raises(ContractViolation):
        encoder_checks(broken())[fault]()


class Directed(Flat):
    """A sound encoder of directed graphs with numbers, for subclasses to break."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = encoder({**SLOTS, "layers": 1}, schema=DIRECTED_SCHEMA)


class BlindToDirection(Directed):
    """Takes an edge for the same from both its ends."""

    def forward(self, batch):
        numbers = torch.zeros_like(batch.edge_numbers)
        return self.sound(
            replace(batch, edges=torch.minimum(batch.edges, batch.edges.mT), edge_numbers=numbers)
        )


class BlindToNumbers(Directed):
    def forward(self, batch):
        return self.sound(replace(batch, numbers=torch.zeros_like(batch.numbers)))


class NumbersByNumbering(Directed):
    """Gives the numbers to the nodes in another order than they have."""

    def forward(self, batch):
        return self.sound(replace(batch, numbers=batch.numbers * torch.arange(batch.mask.shape[1])[:, None]))


class CountsPadding(Directed):
    """Takes the missing numbers of pairs at padding for numbers."""

    def forward(self, batch):
        encoding = self.sound(batch)
        missing = batch.edge_numbers.isnan().sum((1, 2, 3)).unsqueeze(1)
        return encoding._replace(invariant=encoding.invariant + missing)


DIRECTED_SCHEMA = attributed_schema(directed=True)


@pytest.mark.parametrize(
    ("broken", "fault", "named"),
    [
        (BlindToDirection, "assert_isomers_differ", "source and sink"),
        (BlindToNumbers, "assert_isomers_differ", "a number of a node"),
        (NumbersByNumbering, "assert_invariant", "renumbered"),
        (CountsPadding, "assert_padding_invariant", "padding"),
    ],
)
def test_the_suite_finds_a_broken_encoder_of_directed_graphs(broken, fault, named):
    graphs, pairs = attributed_graphs(True), attributed_pairs(True)
    encoder_checks(Directed(), graphs, pairs)[fault]()
    with pytest.raises(ContractViolation, match=named):
        encoder_checks(broken(), graphs, pairs)[fault]()


class ForgetsDirections(nn.Module):
    """Gives both directions of an edge the same scores."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = decoder(SLOTS, DIRECTED_SCHEMA)

    def forward(self, code, slots):
        return self.joined(self.sound(code, slots), lambda told: told + told.transpose(1, 2))

    def joined(self, decoded, change):
        return decoded._replace(
            edge_logits=change(decoded.edge_logits), edge_numbers=change(decoded.edge_numbers)
        )


class SameFromBothEnds(ForgetsDirections):
    """Says of a pair from its second node what it says from its first."""

    def forward(self, code, slots):
        first = torch.ones(slots, slots, dtype=torch.bool).triu().unsqueeze(2)
        return self.joined(self.sound(code, slots), lambda told: told.where(first, told.transpose(1, 2)))


@pytest.mark.parametrize(
    ("broken", "fault"),
    [(ForgetsDirections, "assert_directions_told"), (SameFromBothEnds, "assert_symmetric_edges")],
)
def test_the_suite_finds_a_broken_decoder_of_directed_graphs(broken, fault):
    most, back = DIRECTED_SCHEMA.max_nodes, DIRECTED_SCHEMA.reversed_pair
    contract.check_decoder(decoder(SLOTS, DIRECTED_SCHEMA), CODE, most, back).require()
    assert fault in contract.check_decoder(broken(), CODE, most, back).failed


@pytest.mark.parametrize("broken", FAULTS, ids=lambda broken: broken.__name__)
def test_the_suite_finds_a_broken_encoder(broken):
    with pytest.raises(ContractViolation):
        encoder_checks(broken(), small_graphs())[FAULTS[broken]]()


def test_the_report_names_what_failed():
    report = check_encoder(NoiseAtEvaluation(), {"alanine": small_graphs()["alanine"]})
    assert "assert_deterministic" in report.failed
    assert "assert_valid_permutation" in report.passed
    with pytest.raises(ContractViolation, match="assert_deterministic: two evaluations"):
        report.require()


@pytest.mark.parametrize("broken", [NodeIndexAsFeature, OneImageOnly], ids=lambda broken: broken.__name__)
def test_an_assertion_alone_names_the_graph(broken):
    graphs = {"my alanine": small_graphs()["alanine"]}
    with pytest.raises(ContractViolation, match="my alanine"):
        getattr(contract, FAULTS[broken])(broken(), graphs)


def test_chiral_assertion_names_the_pair():
    with pytest.raises(ContractViolation, match="alanine"):
        contract.assert_chiral_pairs_differ(MirrorBlind(), chiral_pairs())


class NotAPermutation(Aligner):
    def forward(self, scalars, batch):
        return torch.zeros_like(batch.slot), {}


class ByNumber(Aligner):
    def forward(self, scalars, batch):
        return torch.arange(batch.mask.shape[1]).expand_as(batch.mask), {}


class FromTheEnd(Aligner):
    """Slots counted from the end of the padded batch."""

    def forward(self, scalars, batch):
        return batch.mask.shape[1] - 1 - batch.slot, {}


class Unnormalised(Aligner):
    def forward(self, scalars, batch):
        return (torch.ones_like(batch.edges, dtype=scalars.dtype) if self.training else batch.slot), {}


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (NotAPermutation, "assert_valid_alignment"),
        (ByNumber, "assert_alignment_equivariant"),
        (FromTheEnd, "assert_alignment_padding_invariant"),
        (Unnormalised, "assert_alignment_trains"),
    ],
)
def test_the_suite_finds_a_broken_aligner(broken, fault):
    assert fault in contract.check_aligner(broken(), WIDTH, small_graphs()).failed


class BrokenDecoder(nn.Module):
    """A sound decoder, for subclasses to break."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = decoder({"name": "slots", "width": WIDTH, "head_width": 32})

    def forward(self, code, slots):
        return self.sound(code, slots)


class OneSidedEdges(BrokenDecoder):
    def forward(self, code, slots):
        decoded = self.sound(code, slots)
        return decoded._replace(edge_logits=decoded.edge_logits.triu())


class SlotsByTheirNumber(BrokenDecoder):
    def forward(self, code, slots):
        decoded = self.sound(code, slots)
        return decoded._replace(pos=decoded.pos / slots)


class SeesOtherCodes(BrokenDecoder):
    def forward(self, code, slots):
        return self.sound(code - code.mean(0), slots)


class NoisyDecoder(BrokenDecoder):
    def forward(self, code, slots):
        return self.sound(code + 1e-6 * torch.randn_like(code), slots)


class BareDistances(BrokenDecoder):
    def forward(self, code, slots):
        decoded = self.sound(code, slots)
        apart = (decoded.pos.unsqueeze(2) - decoded.pos.unsqueeze(1)).square().sum(3).sqrt()
        return decoded._replace(edge_logits=decoded.edge_logits + apart.unsqueeze(3))


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (OneSidedEdges, "assert_symmetric_edges"),
        (SlotsByTheirNumber, "assert_slots_consistent"),
        (SeesOtherCodes, "assert_codes_decoded_alone"),
        (NoisyDecoder, "assert_decoder_deterministic"),
        (BareDistances, "assert_decoder_gradients"),
    ],
)
def test_the_suite_finds_a_broken_decoder(broken, fault):
    assert fault in contract.check_decoder(broken(), CODE, 32).failed


class Peeking(nn.Module):
    """An autoencoder whose decoder copies positions of the input past the code."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = autoencoder(SLOTS)
        self.seen = None

    def encode(self, batch):
        encoding = self.sound.encode(batch)
        self.seen = encoding.action.canonical_positions(batch.pos)
        return encoding

    def decode(self, code, slots=None):
        decoded = self.sound.decode(code, slots)
        pos = decoded.pos.clone()
        pos[:, : self.seen.shape[1]] = self.seen[: len(code)]
        return decoded._replace(pos=pos)


def test_the_suite_finds_a_decoder_that_peeks_at_the_input():
    graphs = small_graphs()["alanine"], small_graphs()["benzene"]
    contract.assert_decoder_sees_code_only(autoencoder(SLOTS), *graphs)
    with pytest.raises(ContractViolation, match="swapped"):
        contract.assert_decoder_sees_code_only(Peeking(), *graphs)


def test_an_encoder_that_raises_is_reported_not_propagated():
    class Raises(Broken):
        def forward(self, batch):
            raise RuntimeError("no luck")

    report = check_encoder(Raises(), {"alanine": small_graphs()["alanine"]})
    assert not report.passed
    assert all("RuntimeError: no luck" in message for message in report.failed.values())


def test_an_encoder_without_a_figure_is_held_to_everything():
    """Without `degeneracy` nothing is excused: a frame that is not found on benzene is a failure."""

    class Silent(Broken):
        def __init__(self) -> None:
            super().__init__()
            self.sound = encoder({"name": "pooled", "width": WIDTH, "head_width": 32})

        def forward(self, batch):
            encoding = self.sound(batch)
            action = GroupAction(
                encoding.action.permutation, encoding.action.rotation, encoding.action.translation
            )
            return Encoding(encoding.invariant, action, encoding.losses)

    benzene = {"benzene": small_graphs()["benzene"]}
    contract.assert_invariant(Silent().sound, benzene)
    with pytest.raises(ContractViolation, match="benzene"):
        contract.assert_reconstruction_equivariant(contract.WithStandInDecoder(Silent()), benzene)


class BrokenRegulariser(nn.Module):
    """A sound regulariser, for subclasses to break."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = regulariser({"name": "variational"}, CODE // 4)

    def forward(self, context):
        return self.sound(context)

    def perturb(self, code, generator):
        return self.sound.perturb(code, generator)

    def describe(self, codes):
        return self.sound.describe(codes)


class SignedTerms(BrokenRegulariser):
    def forward(self, context):
        return {"sum": context.code.sum(1)}


class ChanceTerms(BrokenRegulariser):
    def forward(self, context):
        return {"chance": context.code.square().sum(1) * torch.rand(())}


class NoiseOfItsOwn(BrokenRegulariser):
    def perturb(self, code, generator):
        return code + 1e-3 * torch.randn_like(code)


class ViewsOfItsOwn(BrokenRegulariser):
    def forward(self, context):
        if context.generator is None:
            return self.sound(context)
        return {"view": context.code.square().sum() * torch.rand(())}


class CountsPadding(BrokenRegulariser):
    def forward(self, context):
        return {"slots": context.code.square().mean() * context.batch.mask.shape[1]}


class EndlessGradient(BrokenRegulariser):
    def forward(self, context):
        return {"norm": context.code.square().sum(1).sqrt()}


class DescribesTheFirst(BrokenRegulariser):
    def describe(self, codes):
        return {"first": float(codes[0, 0])}


@pytest.mark.parametrize(
    ("component", "finds"),
    [
        (SignedTerms, "assert_terms_mirror"),
        (ChanceTerms, "assert_terms_repeat"),
        (NoiseOfItsOwn, "assert_noise_seeded"),
        (ViewsOfItsOwn, "assert_noise_seeded"),
        (CountsPadding, "assert_terms_repeat"),
        (EndlessGradient, "assert_regulariser_gradients"),
        (DescribesTheFirst, "assert_described"),
    ],
)
def test_a_broken_regulariser_is_found(component, finds):
    assert contract.check_regulariser(BrokenRegulariser(), CODE, CODE // 4).failed == {}
    assert finds in contract.check_regulariser(component(), CODE, CODE // 4).failed
