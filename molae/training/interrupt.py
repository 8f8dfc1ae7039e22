"""Signals that ask a run to save its state and end."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Whether a signal has asked to end.

    Attributes:
        requested: True from the first signal on.
    """

    def __init__(self, forward: bool) -> None:
        self.requested = False
        self._forward = forward

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Notes the request."""
        self.requested = True
        if self._forward:
            for child in multiprocessing.active_children():
                child.terminate()


@contextmanager
def catch_interrupt(forward: bool = False) -> Iterator[Interrupt]:
    """Turns SIGINT and SIGTERM into a request for as long as the context lasts.

    Args:
        forward: Whether to pass the request on to the processes that this one started.
    Yields:
        The request. Only the main thread can catch signals: in another one it is never made.
    """
    interrupt = Interrupt(forward)
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt.handle) for number in SIGNALS}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
