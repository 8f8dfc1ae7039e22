"""What a model reads of a whole input, for what needs to see all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from molae.apps.chunks import chunk_sources
from molae.apps.reading import sample_workers
from molae.apps.rows import Progress, Source, no_progress
from molae.apps.samples import Sample
from molae.autoencoder import Autoencoder
from molae.errors import DataError, RowError


def read_whole(
    source: Source, model: Autoencoder, progress: Progress = no_progress
) -> tuple[list[Sample], Counter[str]]:
    """Reads a whole input.

    Args:
        source: The input.
        model: Model that is to take it.
        progress: Told after every few rows.
    Returns:
        The graphs or molecules that the model takes, and the number of the others by the kind of the reason.
    Raises:
        DataError: If the input cannot be read, or holds nothing that the model takes.
    """
    samples: list[Sample] = []
    unread: Counter[str] = Counter()
    for read in read_chunks(source, model, progress):
        samples += [each for each in read if isinstance(each, Sample)]
        unread.update(each.kind for each in read if isinstance(each, RowError))
    if not samples:
        what = "molecule" if model.schema.labels is None else "graph"
        kinds = ", ".join(f"{kind} {count}" for kind, count in unread.most_common()) or "it is empty"
        raise DataError(f"{source.path} holds no {what} that the model takes: {kinds}")
    return samples, unread


def read_chunks(
    source: Source, model: Autoencoder, progress: Progress = no_progress
) -> Iterator[list[Sample | RowError]]:
    """Reads an input, some rows at a time, where it need not be held (arguments as for `read_whole`)."""
    with source.open() as reader, sample_workers(model.schema, source.seed, source.num_workers) as workers:
        chunks = ((None, chunk_sources(chunk)) for chunk in reader)
        for _, read in workers.map_chunks(chunks, lambda count: progress(count, reader.total)):
            yield read
