from __future__ import annotations

import subprocess
import sys

from molae.nn.channels import CodeChannels


def test_e3nn_names_the_code():
    channels = CodeChannels(7, 14, 5)
    assert str(channels.irreps) == "7x0e+14x0e+5x0o"
    assert channels.irreps.dim == channels.size == 26


def test_a_model_is_loaded_without_the_compiler_of_torch():
    # It takes longer to import than all the rest.
    program = "import sys, molae; molae.load('graph'); print('torch._dynamo' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"
