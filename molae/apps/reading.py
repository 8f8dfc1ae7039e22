"""Reading whatever a model takes: molecules or other graphs, as its schema says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from molae.apps.molecules import Source, time_limit, try_read
from molae.apps.samples import Sample
from molae.apps.workers import Workers, keep_failure
from molae.batch.schema import Schema
from molae.errors import RowError
from molae.graphs.arrays import encode
from molae.graphs.labelled import LabelledGraph

#: Reads a row as `try_sample` does, with the same arguments.
Read = Callable[..., Sample | RowError]


def try_sample(source: Source, schema: Schema, seed: int = 0) -> Sample | RowError:
    """Makes what a model reads of a row; a bad row never stops a run.

    Args:
        source: The molecule, or the graph where the schema has labels.
        schema: What the graphs of the model carry.
        seed: Seed of the conformer of a molecule.
    Returns:
        The sample, or why there is none.
    """
    if schema.labels is None:
        molecules = try_read(source, schema, 1, seed)
        return molecules if isinstance(molecules, RowError) else molecules[0]
    if isinstance(source, RowError):
        return source
    if not isinstance(source, LabelledGraph):
        return RowError("no graph, which the model takes alone", "type")
    try:
        return Sample(encode(source, schema.labels, schema.max_nodes), ())
    except RowError as error:
        return error


def try_graph(source: Source, schema: Schema, seed: int = 0, ranked: bool = False) -> Sample | RowError:
    """Reads as `try_sample` does, but keeps graph and notes alone: RDKit's molecules take most of the memory
    of a chunk, and to free thousands of them at once takes longer than to free each while it is at hand.

    Args:
        source: As there.
        schema: As there.
        seed: As there.
        ranked: Whether the model looks at the ranks of the nodes (see `Encoder.reads_ranks`).
    Returns:
        The sample, or why there is none.
    """
    sample = try_sample(source, schema, seed)
    if isinstance(sample, RowError):
        return sample
    return Sample(sample.ranked() if ranked else sample.graph, sample.notes)


def sample_workers(
    schema: Schema, seed: int = 0, num_workers: int = 0, read: Read = try_sample
) -> Workers[Source, Sample | RowError]:
    """Workers that read samples.

    Args:
        schema: What the graphs of the model carry.
        seed: Seed of the conformers.
        num_workers: Number of further processes; 0 for this one.
        read: How a row is read.
    Returns:
        The workers, a context manager.
    """
    function = partial(read, schema=schema, seed=seed)
    return Workers(function, num_workers, time_limit(schema), keep_failure)
