"""Files of molecules or graphs to packed data sets for training."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from molae.apps.chunks import chunk_sources
from molae.apps.molecules import Molecule, first_conformers, molecule_schema, time_limit, try_read
from molae.apps.molecules import Source as MoleculeSource
from molae.apps.reading import try_sample
from molae.apps.rows import Progress, Source, Summary, no_progress
from molae.apps.workers import Workers, keep_failure
from molae.batch.packed import pack
from molae.batch.schema import Schema
from molae.chem.descriptors import TAUGHT_DESCRIPTORS
from molae.chem.descriptors import descriptors as descriptors_of
from molae.errors import ConfigError, DataError, RowError
from molae.graphs.labelled import LabelledGraph
from molae.graphs.statistics import STATISTICS, graph_statistics
from molae.graphs.vocabulary import EVERYTHING, AttributeChoice, Vocabulary, collect_vocabulary
from molae.io import Reader, Row, atomic_path
from molae.types import Graph

logger = logging.getLogger("molae.apps")

MAX_ATOMS = 50
MOST_NODES = 255
"""Packed data sets hold the number of nodes in a byte."""
PACKED_SUFFIX = ".safetensors"


def pack_file(
    source: Source,
    output: str | Path,
    max_nodes: int | None = None,
    conformers: int = 1,
    *,
    hydrogens: bool = False,
    coordinates: bool = True,
    descriptors: bool = False,
    choice: AttributeChoice = EVERYTHING,
    progress: Progress = no_progress,
) -> Summary:
    """Packs the molecules or graphs of a file for training; rows that cannot be used are left out, counted.

    Args:
        source: The input.
        output: Path of the packed data set, `.safetensors`; nothing is written if no row can be used.
        max_nodes: Most atoms of a molecule or nodes of a graph, and of what a model trained on the data
            takes, at most 255. None for 50 atoms, or for as many nodes as the largest graph has.
        conformers: Conformers to try for molecules that come without 3D positions.
        hydrogens: Whether hydrogens are nodes of the graphs, not counts on the atoms that bear them.
        coordinates: Whether the graphs have positions; without, no conformer is made, and stereo is in
            categories of the atoms and bonds.
        descriptors: Whether to pack what the summary of a code is taught to know: RDKit's descriptors of
            molecules, a few milliseconds each, or `molae.graphs.statistics` of graphs.
        choice: What of graphs counts.
        progress: Told after every few rows.
    Returns:
        The counts of rows; a row may give several graphs.
    Raises:
        DataError: If the input cannot be read, or the output not be written.
        ConfigError: If a number is out of range, or attributes of molecules are chosen.
    """
    path = Path(output)
    check_output(path, max_nodes)
    if conformers < 1:
        raise ConfigError(f"conformers: expected at least 1, got {conformers}")
    if conformers > 1 and not coordinates:
        raise ConfigError(f"conformers: graphs without coordinates have none, got {conformers}")
    with source.open() as reader:
        if reader.holds_graphs:
            rows = [row for chunk in reader for row in chunk.rows]
            return write_labelled(
                [(row.number, _graph(row)) for row in rows],
                path,
                max_nodes,
                choice,
                descriptors,
                progress,
            )
        if choice != EVERYTHING:
            raise ConfigError(f"{source.path} holds molecules: attributes and directions are those of graphs")
        targets = TAUGHT_DESCRIPTORS if descriptors else ()
        schema = molecule_schema(max_nodes or MAX_ATOMS, coordinates, hydrogens, targets)
        summary = Summary()
        graphs = _molecules(reader, source, schema, conformers, summary, progress)
        first = next(graphs, None)
        if first is not None:
            with atomic_path(path) as temporary:
                pack(chain([first], graphs), schema, temporary)
        return summary


def _molecules(
    reader: Reader, source: Source, schema: Schema, conformers: int, summary: Summary, progress: Progress
) -> Iterator[tuple[int, Graph]]:
    read_one = partial(_try_read, schema=schema, n=conformers, seed=source.seed)
    with Workers(read_one, source.num_workers, conformers * time_limit(schema), keep_failure) as workers:
        chunks = (([row.number for row in chunk.rows], chunk_sources(chunk)) for chunk in reader)
        for numbers, read in workers.map_chunks(chunks, lambda count: progress(count, reader.total)):
            summary.count(first_conformers(read), [r if isinstance(r, RowError) else None for r in read])
            for number, molecules in zip(numbers, read, strict=True):
                if not isinstance(molecules, RowError):
                    yield from ((number, molecule.graph) for molecule in molecules)


def _try_read(source: MoleculeSource, schema: Schema, n: int, seed: int) -> list[Molecule] | RowError:
    """Reads a molecule, its graphs with their ranks and targets."""
    read = try_read(source, schema, n, seed)
    if isinstance(read, RowError):
        return read
    return [replace(each, graph=_with_targets(each, schema)) for each in read]


def _with_targets(molecule: Molecule, schema: Schema) -> Graph:
    if not schema.targets:
        return molecule.ranked()
    return replace(molecule.ranked(), targets=descriptors_of(molecule.mol, schema.targets))


def write_labelled(
    read: Sequence[tuple[int, LabelledGraph | RowError]],
    path: Path,
    max_nodes: int | None = None,
    choice: AttributeChoice = EVERYTHING,
    descriptors: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """Packs graphs that are no molecules; those that cannot be used are left out and counted.

    Args:
        read: Number of the source row; and the graph, or why there is none.
        path: Path of the packed data set; nothing is written if no graph can be used.
        max_nodes: Most nodes of a graph; None for as many as the largest has.
        choice: What of the graphs counts.
        descriptors: Whether to pack the statistics of each graph too.
        progress: Told after every graph.
    Returns:
        The counts.
    Raises:
        DataError: If an attribute is missing or holds what is neither label nor number.
    """
    graphs = [graph for _, graph in read if not isinstance(graph, RowError)]
    largest = min(max(map(len, graphs), default=1), MOST_NODES)
    most = max_nodes or largest
    fitting = [graph for graph in graphs if len(graph) <= most]
    schema = graph_schema(vocabulary := collect_vocabulary(fitting, choice), most)
    logger.info("%s: %s", path.name, vocabulary.describe())
    if descriptors:
        schema = schema.model_copy(update={"targets": STATISTICS})
    found: list[tuple[int, Graph]] = []
    summary = Summary()
    for number, graph in read:
        sample = try_sample(graph, schema)
        summary.count([sample], [sample if isinstance(sample, RowError) else None])
        if isinstance(sample, RowError):
            logger.debug("graph %d: %s", number, sample.reason)
        else:
            targets = graph_statistics(sample.graph.edges) if descriptors else None
            found.append((number, replace(sample.graph, targets=targets)))
        progress(1, len(read))
    if found:
        with atomic_path(path) as temporary:
            pack(found, schema, temporary)
    return summary


def graph_schema(vocabulary: Vocabulary, max_nodes: int) -> Schema:
    """What graphs that are no molecules carry."""
    return Schema(
        node_channels=vocabulary.node_channels,
        edge_types=vocabulary.edge_types,
        max_nodes=max_nodes,
        coordinates=False,
        labels=vocabulary,
    )


def check_output(path: Path, max_nodes: int | None) -> None:
    """Checks where a packed data set is to go, and for graphs of which size.

    Raises:
        DataError: If the suffix is another, or the folder is not there.
        ConfigError: If the number of nodes is out of range.
    """
    if path.suffix != PACKED_SUFFIX:
        raise DataError(f"{path}: packed data sets have the suffix {PACKED_SUFFIX}")
    if not path.parent.is_dir():
        raise DataError(f"there is no folder {path.parent} to write {path.name} to")
    if max_nodes is not None and not 1 <= max_nodes <= MOST_NODES:
        raise ConfigError(f"max_nodes: expected 1 to {MOST_NODES}, got {max_nodes}")


def _graph(row: Row) -> LabelledGraph | RowError:
    return row.graph or row.error or RowError("no graph in this row", "empty")
