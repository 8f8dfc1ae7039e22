from __future__ import annotations

import operator
import os
import time

import pytest

from molae.apps.workers import Workers
from molae.errors import MolaeError

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
