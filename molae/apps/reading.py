"""Reading whatever a model takes: molecules or other graphs, as its schema says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from molae.apps.molecules import Source, time_limit, try_line, try_read
from molae.apps.samples import Embeddable, Sample
from molae.apps.workers import Workers, keep_failure
from molae.batch.schema import Schema
from molae.errors import RowError
from molae.graphs.arrays import encode
from molae.graphs.labelled import LabelledGraph

#: Reads a row, with the arguments of `try_sample`.
Read = Callable[..., Embeddable | RowError]


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


def try_embeddable(
    source: Source, schema: Schema, seed: int = 0, ranked: bool = False
) -> Embeddable | RowError:
    """Makes of a row what a model needs to embed it, and no more; a bad row never stops a run.

    Molecules without coordinates or ranks become lines. Of the others graph and notes alone are kept: RDKit's
    molecules take most of the memory of a chunk, and to free thousands of them at once takes longer than to
    free each while it is at hand.

    Args:
        source: As for `try_sample`.
        schema: As there.
        seed: As there.
        ranked: Whether the model looks at the ranks of the nodes (see `Encoder.reads_ranks`).
    Returns:
        The line or graph, or why there is none.
    """
    if schema.labels is None and not schema.coordinates and not ranked:
        return try_line(source, schema)
    sample = try_sample(source, schema, seed)
    if isinstance(sample, RowError):
        return sample
    return Sample(sample.ranked() if ranked else sample.graph, sample.notes)


def sample_workers(
    schema: Schema, seed: int = 0, num_workers: int = 0, read: Read = try_sample
) -> Workers[Source, Any]:
    """Workers that read rows.

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
