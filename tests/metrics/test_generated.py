from __future__ import annotations

from molae.metrics.generated import summarise_generated


def test_what_is_not_valid_counts() -> None:
    figures = summarise_generated(["CO", "CC", None, "CO"], known=["CC", "CN"])
    assert figures == {"generated": 4, "valid_rate": 3 / 4, "unique_rate": 2 / 3, "novel_rate": 1 / 2}


def test_nothing_valid_has_no_shares() -> None:
    figures = summarise_generated([None, None], known=["CC"])
    assert figures == {"generated": 2, "valid_rate": 0.0, "unique_rate": None, "novel_rate": None}
