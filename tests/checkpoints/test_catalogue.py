from __future__ import annotations

import subprocess
import sys


def test_models_are_listed_without_torch() -> None:
    code = "import sys; from molae.cli.models import models; models(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
