"""The same work on the machines of a Ray cluster, through Ray Data: an actor for each GPU, or each core.

The input is read in one place, streaming; its chunks go to the actors, and what these make of them comes
back in order, to be written by the process that started it all. The actor has a process of its own, at
least one, that reads molecules: so one that takes its process down fails alone. Ray starts actors that die
anew, and sends them again what they were busy with.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from molae.apps.chunks import Piece, Result, Skipped, Steps, conclude, pieces, without_molecules
from molae.apps.rows import Progress, Source
from molae.apps.workers import Workers, keep_failure
from molae.errors import ConfigError, DataError, MolaeError
from molae.io import Reader
from molae.io.streams import STANDARD_INPUT

logger = logging.getLogger("molae.apps")

_PAYLOAD = "payload"


class RayEngine:
    """Works on a cluster: the one that the environment variable RAY_ADDRESS names or that runs on this
    machine, else one that is started here, with all cores and GPUs, and ended afterwards.

    Args:
        source: The input; each machine must see it under the same path.
        steps: What is done with its rows.
        device: `auto` or `cuda` for an actor a GPU, `auto` where there is none or `cpu` for one a core.
    Raises:
        ConfigError: If the cluster has no GPU, and one is asked for.
        DataError: If the input is standard input.
    """

    def __init__(self, source: Source, steps: Steps[Any, Any], device: str) -> None:
        if source.path == STANDARD_INPUT:
            raise DataError("standard input cannot be read by a cluster: save it to a file first")
        # The machines need not work in the same folder.
        self._source = replace(source, path=os.path.abspath(source.path))
        self._steps = steps
        self._readers = max(source.num_workers, 1)
        self._starts = not ray.is_initialized()
        if self._starts:
            # Ray would tell its makers that it is used.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            logging.getLogger("ray.data").setLevel(logging.ERROR)
        found = ray.cluster_resources()
        self._gpus = 0 if device == "cpu" else int(found.get("GPU", 0))
        if device == "cuda" and not self._gpus:
            self.__exit__()
            raise ConfigError("device 'cuda' asked for, but the cluster has no GPU: use auto or cpu")
        self._actors = self._gpus or max(int(found.get("CPU", 1)) // self._readers, 1)

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._starts:
            ray.shutdown()

    def results(
        self, reader: Reader, finished: Mapping[int, str], dropped: bool, progress: Progress
    ) -> Iterator[Result | Skipped]:
        """As `molae.apps.rows.Engine.results`, in the order of the input."""
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        # So that each chunk is a block, and goes to an actor by itself.
        context.target_max_block_size = 1
        chunks = _Chunks(self._source, self._steps, finished)
        data = ray.data.read_datasource(chunks, num_cpus=0, override_num_blocks=1).map_batches(
            _Actor,
            batch_size=1,
            batch_format="pandas",
            fn_constructor_args=(self._steps, self._readers, dropped),
            compute=ray.data.ActorPoolStrategy(size=self._actors),
            num_cpus=self._readers,
            num_gpus=1 if self._gpus else 0,
        )
        for result in _stream(data):
            if isinstance(result, MolaeError):
                raise result
            if isinstance(result, Result):
                progress(len(result.numbers), reader.total)
            yield result


class _Chunks(Datasource):
    """The chunks of an input, read in one place so that nothing is read twice."""

    def __init__(self, source: Source, steps: Steps[Any, Any], finished: Mapping[int, str]) -> None:
        self._source = source
        self._size, self._how = steps.chunk_size, (steps.items, steps.together)
        self._finished = dict(finished)

    def estimate_inmemory_data_size(self) -> int | None:
        """Only reading tells."""
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **options: Any) -> list[ReadTask]:
        """One, however many there might be."""
        unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
        return [ReadTask(self._read, unknown)]

    def _read(self) -> Iterator[pd.DataFrame]:
        try:
            with self._source.open(self._size) as reader:
                for piece in pieces(reader, *self._how, self._finished):
                    yield _pack(piece if isinstance(piece, Skipped) else without_molecules(piece))
        except MolaeError as error:
            yield _pack(error)


class _Actor:
    """Works on chunks, one after the other."""

    def __init__(self, steps: Steps[Any, Any], readers: int, dropped: bool) -> None:
        self._steps = steps
        self._dropped = dropped
        self._work: Any = None
        self._workers = Workers(steps.function, readers, steps.limit, keep_failure)

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        return _pack(*map(self._try, batch[_PAYLOAD]))

    def _try(self, piece: Piece[Any] | Skipped | MolaeError) -> Any:
        """What is made of a chunk; our own errors are results too, as Ray would wrap them in its own."""
        if not isinstance(piece, Piece):
            return piece
        try:
            self._work = self._work or self._steps.open_work()
            ((_, read),) = self._workers.map_chunks([(None, piece.items)])
            return conclude(piece, read, self._work, self._steps, self._dropped)
        except MolaeError as error:
            return error


def _stream(data: ray.data.Dataset) -> Iterator[Any]:
    try:
        for batch in data.iter_batches(batch_size=1, batch_format="pandas", prefetch_batches=0):
            yield from batch[_PAYLOAD]
    except ray.exceptions.RayError as error:
        logger.debug("the cluster failed", exc_info=True)
        raise MolaeError(f"the cluster failed, {type(error).__name__}: --resume goes on") from error


def _pack(*contents: Any) -> pd.DataFrame:
    """A block of Ray's that holds what goes from one process to another, as it is: Ray takes it there."""
    return pd.DataFrame({_PAYLOAD: pd.Series(contents, dtype=object)})
