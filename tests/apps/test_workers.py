from __future__ import annotations

import operator
import os
import time
from functools import partial
from pathlib import Path

import pytest
from hostile import HANGS, KILLED, KILLED_ONCE, negate

from molae.apps.workers import Workers, keep_failure
from molae.errors import MolaeError, RowError

CHUNKS = [("a", list(range(20))), ("b", []), ("c", [7]), ("d", list(range(5))), ("e", [1, 2])]


@pytest.mark.parametrize("processes", [0, 2])
def test_results_come_in_order(processes: int) -> None:
    done: list[int] = []
    with Workers(operator.neg, processes) as workers:
        found = list(workers.map_chunks(CHUNKS, done.append))
    assert found == [(key, [-item for item in items]) for key, items in CHUNKS]
    assert sum(done) == 28


def test_an_interruption_ends_the_workers_at_once() -> None:
    def work() -> None:
        with Workers(time.sleep, 1) as workers:
            next(workers.map_chunks([("first", [0.0])] + [("long", [100.0])] * 5))
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - start < 60


def test_a_worker_that_dies_is_reported() -> None:
    with pytest.raises(MolaeError, match="worker process died"), Workers(os._exit, 1) as workers:
        list(workers.map_chunks([("only", [3])]))


def test_only_what_kills_its_process_or_hangs_fails(tmp_path: Path) -> None:
    items = [*range(10), KILLED, 10, KILLED_ONCE, 11, HANGS, *range(12, 20)]
    with Workers(partial(negate, folder=str(tmp_path)), 2, 2.0, keep_failure) as workers:
        found = dict(workers.map_chunks([("a", items), ("b", [5, HANGS]), ("c", [6])]))
    kinds = {KILLED: "crashed", HANGS: "timeout"}
    for key, sent in (("a", items), ("b", [5, HANGS]), ("c", [6])):
        results = [each.kind if isinstance(each, RowError) else each for each in found[key]]
        assert results == [kinds.get(item, -item) for item in sent]


def test_workers_that_cannot_even_start_are_reported() -> None:
    with (
        pytest.raises(MolaeError, match="end before they begin: a script that has some needs `if __name__"),
        Workers(_Unreadable(), 1, failed=keep_failure) as workers,
    ):
        list(workers.map_chunks([("only", [3])]))


class _Unreadable:
    """Takes down the process that reads it."""

    def __call__(self, item: int) -> RowError | int:
        return item

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (3,)
