"""Work that misbehaves in its process, as compiled code may."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

KILLED, HANGS, KILLED_ONCE = -1, -2, -3


def negate(item: int, folder: str = ".") -> int:
    """-item, unless the item is one of those above."""
    if item == KILLED or (item == KILLED_ONCE and _first_time(Path(folder))):
        # As the system does where memory runs out.
        os.kill(os.getpid(), signal.SIGKILL)
    if item == HANGS:
        # Without ever letting another thread of the process run.
        re.fullmatch(r"(a+)+", "a" * 50 + "b")
    return -item


def _first_time(folder: Path) -> bool:
    try:
        (folder / "killed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
