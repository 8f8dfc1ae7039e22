"""The contract of aligners, for every aligner that is registered."""

from __future__ import annotations

import pytest
from registered import WIDTH, aligner

from molae.align import ALIGNERS
from molae.testing import check_aligner


@pytest.mark.parametrize("name", list(ALIGNERS))
def test_aligner_keeps_its_contract(name):
    check_aligner(aligner(name), WIDTH).require()
