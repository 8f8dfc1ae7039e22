from __future__ import annotations

import pytest

from molae.training.validation import is_better


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"exact": 0.5}, {}),
        ({"exact": 0.5, "rmsd_median": 0.9}, {"exact": 0.4, "rmsd_median": 0.1}),
        ({"exact": 0.5, "rmsd_median": 0.1, "loss": 9.0}, {"exact": 0.5, "rmsd_median": 0.2, "loss": 1.0}),
        ({"exact": 0.0, "loss": 20.0}, {"exact": 0.0, "loss": 30.0}),
        ({"exact": 0.0, "loss": 20.0}, {"exact": 0.0}),
    ],
)
def test_what_is_better(better: dict[str, float], worse: dict[str, float]) -> None:
    assert is_better(better, worse)
    if worse:
        assert not is_better(worse, better)
    assert not is_better(better, better)
