from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from molae.ops import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        torch.ones(2_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults()  # the heap grows to what is needed
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what the C library of Linux does")
def test_freed_memory_is_kept() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100
