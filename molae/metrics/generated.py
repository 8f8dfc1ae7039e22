"""How good generated graphs or molecules are by themselves: valid, different from one another, and new."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence


def summarise_generated(
    generated: Sequence[Hashable | None], known: Iterable[Hashable]
) -> dict[str, float | None]:
    """Gathers the figures of generation.

    Args:
        generated: A name of each that is the same for equal ones alone, such as a canonical SMILES; None for
            those that are not valid. Nothing was repaired, and nothing left out.
        known: Names of those that the distribution was learned from.
    Returns:
        `generated`, how many; `valid_rate`, of all; `unique_rate`, different ones by valid ones; and
        `novel_rate`, the share of the different ones that are not known. None where there is nothing to
        divide by.
    """
    valid = [name for name in generated if name is not None]
    different = set(valid)
    new = different - set(known)
    return {
        "generated": len(generated),
        "valid_rate": _share(len(valid), len(generated)),
        "unique_rate": _share(len(different), len(valid)),
        "novel_rate": _share(len(new), len(different)),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
