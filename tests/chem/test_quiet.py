"""RDKit prints nothing in the context, and prints again behind it."""

from __future__ import annotations

import pytest
from rdkit import Chem

from molae.chem.quiet import Quiet


def test_nothing_is_printed_until_the_outermost_context_ends(capfd: pytest.CaptureFixture[str]) -> None:
    with Quiet():
        with Quiet():
            Chem.MolFromSmiles("C(")
        Chem.MolFromSmiles("C(")
    assert capfd.readouterr().err == ""
    Chem.MolFromSmiles("C(")
    assert "SMILES Parse Error" in capfd.readouterr().err


def test_an_error_ends_the_context(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), Quiet():
        raise RuntimeError
    Chem.MolFromSmiles("C(")
    assert "SMILES Parse Error" in capfd.readouterr().err
