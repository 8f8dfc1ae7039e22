"""Reading whatever a model takes: molecules or other graphs, as its schema says."""

from __future__ import annotations

from functools import partial

from molae.apps.molecules import Source, time_limit, try_read
from molae.apps.samples import Sample
from molae.apps.workers import Workers, keep_failure
from molae.batch.schema import Schema
from molae.errors import RowError
from molae.graphs.arrays import encode
from molae.graphs.labelled import LabelledGraph


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


def sample_workers(schema: Schema, seed: int = 0, num_workers: int = 0) -> Workers[Source, Sample | RowError]:
    """Workers that read as `try_sample` does.

    Args:
        schema: What the graphs of the model carry.
        seed: Seed of the conformers.
        num_workers: Number of further processes; 0 for this one.
    Returns:
        The workers, a context manager.
    """
    function = partial(try_sample, schema=schema, seed=seed)
    return Workers(function, num_workers, time_limit(schema), keep_failure)
