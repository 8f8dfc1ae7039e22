"""Keeping RDKit from printing what it thinks of a molecule: whoever reads one gets it as an error."""

from __future__ import annotations

from threading import Lock
from typing import ClassVar

from rdkit.rdBase import BlockLogs


class Quiet:
    """A context in which RDKit prints nothing.

    Inside of another it costs next to nothing, unlike `rdkit.rdBase.BlockLogs` alone: many molecules can be
    read in one, and each of them still in its own.
    """

    _lock: ClassVar[Lock] = Lock()
    _depth: ClassVar[int] = 0
    _block: ClassVar[BlockLogs | None] = None

    def __enter__(self) -> None:
        with Quiet._lock:
            if Quiet._depth == 0:
                Quiet._block = BlockLogs()
            Quiet._depth += 1

    def __exit__(self, *exception: object) -> None:
        with Quiet._lock:
            Quiet._depth -= 1
            if Quiet._depth == 0:
                # RDKit prints again once it is gone.
                Quiet._block = None
