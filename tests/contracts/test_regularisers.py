"""The contract of regularisers, for every regulariser that is registered."""

from __future__ import annotations

import pytest
from registered import CODE, described, regulariser, settings, summary

from molae.regularise import REGULARISERS
from molae.testing import check_regulariser

CONFIGS = [config for name in REGULARISERS for config in settings(REGULARISERS, name)]


@pytest.mark.parametrize("odd", [0, CODE // 4])
@pytest.mark.parametrize("config", CONFIGS, ids=map(described, CONFIGS))
def test_regulariser_keeps_its_contract(config, odd):
    check_regulariser(regulariser(config, odd), CODE, odd, summary()).require()
