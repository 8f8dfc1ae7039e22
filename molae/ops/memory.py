"""What becomes of memory that is freed."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# Parameters of mallopt in malloc.h of glibc, and their values in bytes. Larger blocks cannot be kept.
_SETTINGS = {-1: 512 << 20, -2: 64 << 20, -3: 32 << 20}  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD


@cache
def keep_freed_memory() -> None:
    """Has the process keep memory that it frees, up to half a gigabyte, for the next tensors.

    The C library of Linux hands the end of its heap back to the system, and asks for it again at the next
    tensor of about a megabyte, which the system has to clear first: a sixth of the time that it takes to make
    conformers. Where the C library is another, nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting, value in _SETTINGS.items():
            mallopt(setting, value)
