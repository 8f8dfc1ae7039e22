"""Calling a function on many items in several processes, with the results in order."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from molae.chem.quiet import Quiet
from molae.errors import MolaeError, RowError

logger = logging.getLogger("molae.apps")

S = TypeVar("S")
R = TypeVar("R")
K = TypeVar("K")

PIECE = 8
"""Items sent to a process at once."""
AHEAD = 2
"""Chunks that are worked on while the caller is busy with one."""
LOSSES = 3
"""Processes that may die one after the other without having begun an item."""

_DIED = "a worker process died, perhaps for want of memory: use fewer workers, or none"
_NEVER_BEGAN = (
    "worker processes end before they begin: a script that has some needs `if __name__ == '__main__':` around"
    " what it does; or memory is short, then use fewer workers, or none"
)


class Workers(Generic[S, R]):
    """Calls a function on the items of chunks, in this process or in others; a context manager.

    RDKit prints nothing meanwhile: what is wrong with an item is in its result.

    The others start afresh, so a script that uses them needs the usual `if __name__ == "__main__":`. They
    end with the context, with this process, however that ends, and at once on an interruption.

    An item that hangs, or takes its process down (the system ends one that wants too much memory; a bug in
    compiled code does too), fails alone: what was being worked on is tried again, each item in a process of
    its own, and the others go on. That needs other processes: nothing can stop compiled code in this one.

    Args:
        function: What to call; for other processes it must be importable, or a `functools.partial` of that.
        processes: Number of other processes; 0 for this one.
        limit: Seconds that an item may take in another process; None for any.
        failed: Makes the result of an item that failed so; None to raise instead.
    """

    def __init__(
        self,
        function: Callable[[S], R],
        processes: int = 0,
        limit: float | None = None,
        failed: Callable[[RowError], R] | None = None,
    ) -> None:
        self._function = function
        self._crew = _Crew(function, processes, limit, failed) if processes > 0 else None

    def __enter__(self) -> Workers[S, R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._crew is not None:
            self._crew.pool.close(at_once=kind is not None)

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
            MolaeError: If an item takes its process down and that must not fail alone, or no process starts.
        """
        if self._crew is not None:
            yield from self._crew.map_chunks(chunks, advance)
            return
        for key, items in chunks:
            with Quiet():
                results = [self._call(item, advance) for item in items]
            yield key, results

    def _call(self, item: S, advance: Callable[[int], object]) -> R:
        result = self._function(item)
        advance(1)
        return result


def keep_failure(error: RowError) -> RowError:
    """Lets an item that failed in its process be a row that failed."""
    return error


class _Crew(Generic[S, R]):
    """The part of `Workers` that has other processes, at least one, and replaces those that are lost."""

    def __init__(
        self,
        function: Callable[[S], R],
        processes: int,
        limit: float | None,
        failed: Callable[[RowError], R] | None,
    ) -> None:
        self._function = function
        self._processes = processes
        self._limit = limit
        self._failed = failed
        self.pool = _Pool(processes)
        self._sent = 0
        self._losses = 0

    def map_chunks(
        self, chunks: Iterable[tuple[K, Sequence[S]]], advance: Callable[[int], object]
    ) -> Iterator[tuple[K, list[R]]]:
        """As `Workers.map_chunks`."""
        waiting: deque[tuple[K, list[_Piece[S, R]]]] = deque()
        for key, items in chunks:
            waiting.append((key, self._cut(items)))
            for piece in waiting[-1][1]:
                self._send(piece)
            if len(waiting) > AHEAD:
                yield self._collect(waiting, advance)
        while waiting:
            yield self._collect(waiting, advance)

    def _cut(self, items: Sequence[S]) -> list[_Piece[S, R]]:
        first, self._sent = self._sent + 1, self._sent + len(items)
        return [
            _Piece(dict(enumerate(items[start : start + PIECE], start=first + start)))
            for start in range(0, len(items), PIECE)
        ]

    def _send(self, piece: _Piece[S, R]) -> None:
        left = [(number, item) for number, item in piece.items.items() if number not in piece.settled]
        try:
            piece.future = self.pool.executor.submit(_call_all, self._function, left, self._limit)
        except BrokenProcessPool:  # found out when the result is asked for
            piece.future = None

    def _collect(
        self, waiting: deque[tuple[K, list[_Piece[S, R]]]], advance: Callable[[int], object]
    ) -> tuple[K, list[R]]:
        """The results of the first chunk that waits."""
        key, pieces = waiting[0]
        results: list[R] = []
        for piece in pieces:
            while not piece.finished():
                self._recover([each for _, others in waiting for each in others])
            results += (piece.settled[number] for number in piece.items)
            advance(len(piece.items))
            self._losses = 0
        waiting.popleft()
        return key, results

    def _recover(self, pieces: Sequence[_Piece[S, R]]) -> None:
        """Settles what the lost processes were busy with, and sends the rest to new ones."""
        began = self.pool.began()
        self.pool.close(at_once=True)
        left = [piece for piece in pieces if not piece.finished()]
        busy = [(piece, number) for piece in left for number in piece.items if number in began]
        self._losses = 0 if busy else self._losses + 1
        if self._losses > LOSSES or (self._failed is None and not busy):
            raise MolaeError(_NEVER_BEGAN)
        if self._failed is None:
            raise MolaeError(_DIED)
        late = [each for each in busy if self._limit is not None and began[each[1]] >= self._limit]
        for piece, number in late:
            piece.settled[number] = self._failed(self._too_long())
        # Where the time explains the loss, the others were not to blame.
        for piece, number in [] if late else busy:
            piece.settled[number] = self._alone(piece.items[number])
        self.pool = _Pool(self._processes)
        for piece in left:
            self._send(piece)

    def _alone(self, item: S) -> R:
        """The result of an item that may have taken its process down, in a process of its own."""
        logger.warning("a worker process died: what it was busy with is tried again by itself")
        pool = _Pool(1)
        try:
            return pool.executor.submit(_call_all, self._function, [(1, item)], self._limit).result()[0]
        except BrokenProcessPool as error:
            if not (began := pool.began()) or self._failed is None:
                raise MolaeError(_DIED) from error
            if self._limit is not None and began[1] >= self._limit:
                return self._failed(self._too_long())
            return self._failed(
                RowError("took down the process that read it, perhaps for want of memory", "crashed")
            )
        finally:
            pool.close(at_once=True)

    def _too_long(self) -> RowError:
        return RowError(f"took longer than {self._limit:g} s", "timeout")


@dataclass
class _Piece(Generic[S, R]):
    """Items that are sent together, by their numbers.

    Attributes:
        items: The items.
        settled: Results, of those that must not be sent again before the others.
        future: The results of the others, None where the processes were lost before.
    """

    items: dict[int, S]
    settled: dict[int, R] = field(default_factory=dict)
    future: Future[list[R]] | None = None

    def finished(self) -> bool:
        """Waits for the results, and settles them; False where the processes were lost before."""
        if self.future is None:
            return False
        try:
            found = self.future.result()
        except BrokenProcessPool:
            return False
        self.settled |= dict(zip((n for n in self.items if n not in self.settled), found, strict=False))
        return True


class _Pool:
    """Processes, and what each of them is busy with.

    Args:
        processes: How many.
    """

    def __init__(self, processes: int) -> None:
        # Never a fork: this process may have threads, of torch for instance.
        context = multiprocessing.get_context("spawn")
        lifeline, self._lifeline = context.Pipe(duplex=False)
        # Of each process, the number of its item, 0 for none, and when it began with it.
        self._numbers, self._since = context.RawArray("q", processes), context.RawArray("d", processes)
        started = context.Value("i", 0)
        shared = (lifeline, self._numbers, self._since, started)
        self.executor = ProcessPoolExecutor(
            max(processes, 1), mp_context=context, initializer=_start, initargs=shared
        )

    def began(self) -> dict[int, float]:
        """The numbers of the items that were being worked on, and for how many seconds."""
        now = time.monotonic()
        return {
            number: now - since for number, since in zip(self._numbers, self._since, strict=True) if number
        }

    def close(self, at_once: bool) -> None:
        """Ends the processes, `at_once` also those that are busy."""
        if at_once:
            self._lifeline.close()
        self.executor.shutdown(cancel_futures=True)
        self._lifeline.close()


class _Busy:
    """Where a worker tells what it is busy with."""

    def __init__(self) -> None:
        self.numbers: MutableSequence[int] = [0]
        self.since: MutableSequence[float] = [0.0]
        self.place = 0

    def begin(self, number: int) -> None:
        """Notes the number of an item, and the time."""
        self.since[self.place] = time.monotonic()
        self.numbers[self.place] = number

    def end(self) -> None:
        """Notes that the item is done."""
        self.numbers[self.place] = 0


_busy = _Busy()


def _call_all(
    function: Callable[[S], R], items: Sequence[tuple[int, S]], limit: float | None = None
) -> list[R]:
    with Quiet():
        return [_call_one(function, number, item, limit) for number, item in items]


def _call_one(function: Callable[[S], R], number: int, item: S, limit: float | None) -> R:
    _busy.begin(number)
    try:
        if limit is None or not hasattr(signal, "setitimer"):
            return function(item)
        # The alarm ends the process: compiled code that hangs would never look at anything gentler.
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            return function(item)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        _busy.end()


def _start(
    lifeline: Connection, numbers: MutableSequence[int], since: MutableSequence[float], started: Any
) -> None:
    """Readies a worker: the parent decides on interruptions, and no worker outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _busy.numbers, _busy.since = numbers, since
    with started.get_lock():
        _busy.place = started.value
        started.value += 1
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()


def _end_with_parent(lifeline: Connection) -> None:
    # Nothing is ever sent: what wakes this is the other end being closed, by the parent or with it.
    lifeline.poll(None)
    os._exit(1)
