"""The contract suite: what components must do, as assertions on anyone's own.

`check_encoder`, `check_aligner`, `check_decoder`, `check_regulariser` and `check_group` run all assertions on
a component and report what failed by name. Hypothesis strategies are in `molae.testing.strategies`.
"""

from molae.testing.actions import frame_determined
from molae.testing.aligners import (
    assert_alignment_equivariant,
    assert_alignment_padding_invariant,
    assert_alignment_trains,
    assert_valid_alignment,
    check_aligner,
)
from molae.testing.attributed import attributed_graphs, attributed_pairs, attributed_schema
from molae.testing.decoders import (
    assert_codes_decoded_alone,
    assert_decoder_deterministic,
    assert_decoder_gradients,
    assert_decoder_sees_code_only,
    assert_directions_told,
    assert_slots_consistent,
    assert_symmetric_edges,
    check_decoder,
)
from molae.testing.encoders import (
    assert_batch_independent,
    assert_chiral_pairs_differ,
    assert_deterministic,
    assert_finite_gradients,
    assert_frame_determined,
    assert_invariant,
    assert_mirror_parity,
    assert_padding_invariant,
    assert_valid_permutation,
    assert_valid_rotation,
    check_encoder,
    encoder_checks,
)
from molae.testing.equivariance import equivariance_gap
from molae.testing.fixtures import (
    ISOMER_SCHEMA,
    SCHEMA,
    all_graphs,
    asymmetric_graphs,
    chiral_pairs,
    degenerate_graphs,
    dense,
    isomer_pairs,
    isomers,
    symmetric_graphs,
    with_generic_weights,
)
from molae.testing.groups import (
    assert_action_composes,
    assert_associative,
    assert_closed,
    assert_identity_neutral,
    assert_inverse_undoes,
    assert_sampling_seeded,
    check_group,
)
from molae.testing.motions import Motion, mirror_image
from molae.testing.reconstruction import WithStandInDecoder, assert_reconstruction_equivariant
from molae.testing.regularisers import (
    assert_described,
    assert_noise_seeded,
    assert_regulariser_gradients,
    assert_terms_mirror,
    assert_terms_repeat,
    check_regulariser,
)
from molae.testing.report import ContractViolation, Report

__all__ = [
    "ISOMER_SCHEMA",
    "SCHEMA",
    "ContractViolation",
    "Motion",
    "Report",
    "WithStandInDecoder",
    "all_graphs",
    "assert_action_composes",
    "assert_alignment_equivariant",
    "assert_alignment_padding_invariant",
    "assert_alignment_trains",
    "assert_associative",
    "assert_batch_independent",
    "assert_chiral_pairs_differ",
    "assert_closed",
    "assert_codes_decoded_alone",
    "assert_decoder_deterministic",
    "assert_decoder_gradients",
    "assert_decoder_sees_code_only",
    "assert_described",
    "assert_deterministic",
    "assert_directions_told",
    "assert_finite_gradients",
    "assert_frame_determined",
    "assert_identity_neutral",
    "assert_invariant",
    "assert_inverse_undoes",
    "assert_mirror_parity",
    "assert_noise_seeded",
    "assert_padding_invariant",
    "assert_reconstruction_equivariant",
    "assert_regulariser_gradients",
    "assert_sampling_seeded",
    "assert_slots_consistent",
    "assert_symmetric_edges",
    "assert_terms_mirror",
    "assert_terms_repeat",
    "assert_valid_alignment",
    "assert_valid_permutation",
    "assert_valid_rotation",
    "asymmetric_graphs",
    "attributed_graphs",
    "attributed_pairs",
    "attributed_schema",
    "check_aligner",
    "check_decoder",
    "check_encoder",
    "check_group",
    "check_regulariser",
    "chiral_pairs",
    "degenerate_graphs",
    "dense",
    "encoder_checks",
    "equivariance_gap",
    "frame_determined",
    "isomer_pairs",
    "isomers",
    "mirror_image",
    "symmetric_graphs",
    "with_generic_weights",
]
