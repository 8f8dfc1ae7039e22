"""Operations on tensors that several stages need: norms, frames, assignments."""

from molae.ops.memory import keep_freed_memory
from molae.ops.norms import safe_norm, safe_normalise
from molae.ops.orthogonalise import align_rotation, gram_schmidt_frame, lowdin_frame
from molae.ops.precision import full_precision
from molae.ops.sinkhorn import assign, sinkhorn
from molae.ops.superposition import superposed_deviation
from molae.ops.turning import turn_bonds

__all__ = [
    "align_rotation",
    "assign",
    "full_precision",
    "gram_schmidt_frame",
    "keep_freed_memory",
    "lowdin_frame",
    "safe_norm",
    "safe_normalise",
    "sinkhorn",
    "superposed_deviation",
    "turn_bonds",
]
