"""Calling a function on many items in several processes, with the results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from molae.errors import MolaeError

S = TypeVar("S")
R = TypeVar("R")
K = TypeVar("K")

PIECE = 8
"""Items sent to a process at once."""
AHEAD = 2
"""Chunks that are worked on while the caller is busy with one."""


class Workers(Generic[S, R]):
    """Calls a function on the items of chunks, in this process or in others; a context manager.

    The others start afresh, so a script that uses them needs the usual `if __name__ == "__main__":`. They
    end with the context, with this process, however that ends, and at once on an interruption.

    Args:
        function: What to call; for other processes it must be importable, or a `functools.partial` of that.
        processes: Number of other processes; 0 for this one.
    """

    def __init__(self, function: Callable[[S], R], processes: int = 0) -> None:
        self._function = function
        self._pool: ProcessPoolExecutor | None = None
        if processes > 0:
            # Never a fork: this process may have threads, of torch for instance.
            context = multiprocessing.get_context("spawn")
            lifeline, self._lifeline = context.Pipe(duplex=False)
            self._pool = ProcessPoolExecutor(
                processes, mp_context=context, initializer=_start, initargs=(lifeline,)
            )

    def __enter__(self) -> Workers[S, R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._pool is not None:
            if kind is not None:
                self._lifeline.close()
            self._pool.shutdown(cancel_futures=True)
            self._lifeline.close()

    def map_chunks(
        self, chunks: Iterable[tuple[K, Sequence[S]]], advance: Callable[[int], object] = lambda count: None
    ) -> Iterator[tuple[K, list[R]]]:
        """Calls the function on every item.

        Args:
            chunks: Keys, and the items of each; taken only a little ahead of the results.
            advance: Told how many further items are done.
        Yields:
            The keys, and the results of each, in order.
        Raises:
            MolaeError: If a process dies.
        """
        if self._pool is None:
            for key, items in chunks:
                yield key, [self._call(item, advance) for item in items]
            return
        waiting: deque[tuple[K, list[Future[list[R]]]]] = deque()
        try:
            for key, items in chunks:
                pieces = [items[start : start + PIECE] for start in range(0, len(items), PIECE)]
                waiting.append((key, [self._pool.submit(_call_all, self._function, p) for p in pieces]))
                if len(waiting) > AHEAD:
                    yield _collect(*waiting.popleft(), advance)
            while waiting:
                yield _collect(*waiting.popleft(), advance)
        except BrokenProcessPool as error:
            raise MolaeError(
                "a worker process died, perhaps for want of memory: use fewer workers, or none"
                " (in a script, workers also need `if __name__ == '__main__':`)"
            ) from error

    def _call(self, item: S, advance: Callable[[int], object]) -> R:
        result = self._function(item)
        advance(1)
        return result


def _collect(key: K, pieces: list[Future[list[R]]], advance: Callable[[int], object]) -> tuple[K, list[R]]:
    results: list[R] = []
    for piece in pieces:
        done = piece.result()
        advance(len(done))
        results += done
    return key, results


def _call_all(function: Callable[[S], R], items: Sequence[S]) -> list[R]:
    return [function(item) for item in items]


def _start(lifeline: Connection) -> None:
    """Readies a worker: the parent decides on interruptions, and no worker outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()


def _end_with_parent(lifeline: Connection) -> None:
    # Nothing is ever sent: what wakes this is the other end being closed, by the parent or with it.
    lifeline.poll(None)
    os._exit(1)
