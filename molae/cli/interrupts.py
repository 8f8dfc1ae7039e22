"""Interruptions that compiled code cannot swallow.

RDKit takes SIGINT for itself while it embeds a molecule or searches one. It then ends early what it is at and
tells Python nothing: the run would go on, with another result for this one molecule. So SIGINT is kept from
all threads but one, which passes it on to Python alone.
"""

from __future__ import annotations

import signal
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast


@contextmanager
def interruptions_for_python() -> Iterator[None]:
    """As long as the context lasts, SIGINT goes to Python's handler only, as soon as compiled code returns.

    Threads that began before are not covered: NumPy's, so it must not have been imported yet. Without a main
    thread to interrupt, or signal masks, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    ended = threading.Event()
    # A handler that does nothing: the signal only wakes the main thread where it waits.
    woken = signal.signal(signal.SIGURG, lambda number, frame: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    relay = threading.Thread(target=_pass_on, args=(threading.get_ident(), ended), daemon=True)
    relay.start()
    try:
        yield
    finally:
        ended.set()
        signal.pthread_kill(cast(int, relay.ident), signal.SIGINT)
        relay.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGURG, woken)


def _pass_on(main: int, ended: threading.Event) -> None:
    while True:
        signal.sigwait({signal.SIGINT})
        if ended.is_set():
            return
        interrupt_main(signal.SIGINT)
        signal.pthread_kill(main, signal.SIGURG)
