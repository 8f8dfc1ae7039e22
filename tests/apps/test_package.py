from __future__ import annotations

import subprocess
import sys

import pytest

import molae


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'rdkit', 'numpy', 'pyarrow', 'pydantic', 'sklearn'}"
    code = f"import sys, molae, molae.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    assert set(molae.__all__) <= set(dir(molae))
    for name in molae.__all__:
        assert getattr(molae, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = molae.nonsense
