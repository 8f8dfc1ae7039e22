"""Small trained models, once for all tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "apps"))


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from smallmodel import save_small_model

    return save_small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="session")
def isomer_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from smallmodel import ISOMER_SCHEMA, save_small_model

    return save_small_model(tmp_path_factory.mktemp("models") / "isomers", ISOMER_SCHEMA)
