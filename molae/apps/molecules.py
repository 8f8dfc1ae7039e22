"""The one path from a row of the input, a SMILES, an RDKit molecule or a graph to what a model reads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from rdkit import Chem

from molae.apps.labelled import as_labelled
from molae.apps.samples import LineSample, Sample
from molae.apps.workers import Workers, keep_failure
from molae.batch.schema import Schema
from molae.chem.conformers import embed_conformers
from molae.chem.featurise import featurise, featurise_isomer, rank_alike
from molae.chem.line import write_line
from molae.chem.parse import Prepared, parse_smiles, prepare, prepare_smiles
from molae.chem.stereo import has_positions
from molae.chem.vocabulary import BONDS, ISOMER_BONDS, ISOMER_CHANNELS, NODE_CHANNELS
from molae.errors import DataError, RowError
from molae.graphs.labelled import LabelledGraph
from molae.io import Row
from molae.types import Graph

logger = logging.getLogger("molae.apps")

#: SMILES, molecule in RDKit's binary form, graph, nothing, or the reason why there is nothing: what may go
#: to another process without a loss.
Source = str | bytes | LabelledGraph | RowError | None

T = TypeVar("T")

CHUNK_SIZE = 256
"""Molecules that are read together, sorted by size and encoded in batches, where they get conformers."""

# Without the last flag, RDKit writes positions in single precision.
_BINARY = int(Chem.PropertyPickleOptions.AllProps) | int(Chem.PropertyPickleOptions.CoordsAsDouble)


@dataclass(frozen=True)
class Molecule(Sample):
    """A molecule as a model sees it.

    Attributes:
        graph: The graph, its nodes the atoms of `mol`, in their order; without positions it has no ranks
            `tie`, which few models look at.
        notes: What was changed or left open on the way.
        mol: The prepared molecule, with its conformer where it has one, positions in Å.
    """

    mol: Chem.Mol

    def ranked(self) -> Graph:
        """The graph with the ranks `tie` of its nodes, which are made where it has none."""
        if self.graph.tie is not None:
            return self.graph
        return replace(self.graph, tie=rank_alike(self.mol, self.graph.slot))

    def __reduce__(self) -> tuple[Callable[..., Molecule], tuple[Graph, bytes, tuple[str, ...]]]:
        # By itself, RDKit would send positions in single precision to another process.
        return _from_parts, (self.graph, self.mol.ToBinary(_BINARY), self.notes)


def molecule_schema(
    max_nodes: int, coordinates: bool = True, hydrogens: bool = False, targets: tuple[str, ...] = ()
) -> Schema:
    """What the graphs of a model of molecules carry.

    Args:
        max_nodes: Most atoms.
        coordinates: Whether atoms have positions; without, stereo is in categories of atoms and bonds.
        hydrogens: Whether hydrogens are nodes.
        targets: What of the molecules a summary is taught.
    Returns:
        The schema.
    """
    return Schema(
        node_channels=NODE_CHANNELS if coordinates else ISOMER_CHANNELS,
        edge_types=len(BONDS) if coordinates else ISOMER_BONDS,
        max_nodes=max_nodes,
        coordinates=coordinates,
        hydrogens=hydrogens,
        targets=targets,
    )


def as_source(molecule: object) -> Source:
    """Takes whatever a user may mean by a molecule or graph: a row, SMILES, RDKit molecule, graph of networkx
    or PyG, or nothing (None, NaN)."""
    if isinstance(molecule, Row):
        return molecule.error or molecule.graph or as_source(molecule.mol or molecule.smiles)
    if isinstance(molecule, Chem.Mol):
        try:
            return molecule.ToBinary(_BINARY)
        except (OverflowError, RuntimeError, ValueError) as error:  # of damaged SD files, for instance
            return RowError(f"not a valid molecule: {error}", "invalid")
    if molecule is None or isinstance(molecule, str):
        return molecule
    graph = as_labelled(molecule)
    if graph is not None:
        return graph
    if molecule != molecule:  # NaN and the like, which tables have for None
        return None
    expected = "a SMILES, an RDKit molecule, or a graph of networkx or PyG"
    return RowError(f"expected {expected}, got {type(molecule).__name__}", "type")


def as_sources(molecules: Iterable[object]) -> list[Source]:
    """Takes a collection of molecules or graphs.

    Raises:
        DataError: If it is a single one.
    """
    if isinstance(molecules, (str, bytes, Chem.Mol)) or as_labelled(molecules) is not None:
        raise DataError(f"expected a list of molecules, got one {type(molecules).__name__}: put it in a list")
    return [as_source(molecule) for molecule in molecules]


def chunk_size(schema: Schema) -> int:
    """Number of molecules to read together for a model; the more there are, the less padding batches have,
    and the more is lost with an interruption."""
    return CHUNK_SIZE if schema.coordinates else 8 * CHUNK_SIZE


def time_limit(schema: Schema) -> float:
    """Seconds that reading one molecule may take: RDKit's own limits do not cover all that it does."""
    return 900.0 if schema.coordinates else 60.0


def in_chunks(sources: Sequence[Source], schema: Schema) -> Iterator[tuple[int, Sequence[Source]]]:
    """Cuts molecules into chunks for a model, each with the place of its first molecule."""
    size = chunk_size(schema)
    for start in range(0, len(sources), size):
        yield start, sources[start : start + size]


def read_molecule(source: Source, schema: Schema, seed: int = 0) -> Molecule:
    """Makes the graph of a molecule, with a conformer where it comes without 3D positions.

    Where the schema has no coordinates, no conformer is made, and positions serve to tell the stereo alone.

    Args:
        source: The molecule.
        schema: What the graphs of the model carry. Where hydrogens are nodes, they stand where the input or
            the conformer has them; RDKit places only those that a 3D input leaves out.
        seed: Seed of the conformer.
    Returns:
        The molecule; positions in Å.
    Raises:
        RowError: Why the model cannot take it.
    """
    return read_conformers(source, schema, 1, seed)[0]


def read_conformers(source: Source, schema: Schema, n: int, seed: int = 0) -> list[Molecule]:
    """Makes up to `n` molecules that differ in their conformer; one where the input has 3D positions, or the
    schema no coordinates.

    Args:
        source: The molecule.
        schema: What the graphs of the model carry.
        n: Number of conformers to try.
        seed: Seed of the conformers.
    Returns:
        At least one molecule.
    Raises:
        RowError: Why the model cannot take it.
    """
    prepared = _prepare(source, schema)
    mol = prepared.mol
    if not schema.coordinates:
        graph = featurise_isomer(mol, schema.max_nodes, ranked=False)
        return [Molecule(graph, prepared.notes, mol)]
    if has_positions(mol):
        mols = [mol]
    else:
        # What the model refuses in any geometry is refused before the costly part.
        featurise(mol, schema.max_nodes)
        mols = embed_conformers(mol, n, seed, hydrogens=schema.hydrogens)
    return [Molecule(featurise(each, schema.max_nodes), prepared.notes, each) for each in mols]


def try_read(source: Source, schema: Schema, n: int = 1, seed: int = 0) -> list[Molecule] | RowError:
    """Reads as `read_conformers` does, but returns the error: a bad row never stops a run."""
    return _tried(read_conformers, source, schema, n, seed)


def try_line(source: Source, schema: Schema) -> LineSample | RowError:
    """Reads a molecule as a line, which takes less time and room than a graph; a bad row never stops a run.

    Args:
        source: The molecule.
        schema: What the graphs of the model carry, no coordinates among it.
    Returns:
        The line, or why there is none.
    """
    return _tried(_read_line, source, schema)


def _read_line(source: Source, schema: Schema) -> LineSample:
    prepared = _prepare(source, schema, to_write=True)
    line = write_line(prepared.mol, schema.max_nodes, prepared.closed_shell)
    return LineSample(line, prepared.notes)


def _tried(read: Callable[..., T], *arguments: object) -> T | RowError:
    """What a function reads, or why it does not."""
    try:
        return read(*arguments)
    except RowError as error:
        return error
    except Exception as error:  # whatever RDKit may come up with
        logger.debug("unexpected error", exc_info=True)
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        return RowError(f"cannot be read: {type(error).__name__}: {reason}", "unexpected")


def molecule_workers(
    schema: Schema, seed: int = 0, num_workers: int = 0, n: int = 1
) -> Workers[Source, list[Molecule] | RowError]:
    """Workers that read molecules as `try_read` does.

    Args:
        schema: What the graphs of the model carry.
        seed: Seed of the conformers.
        num_workers: Number of further processes; 0 for this one.
        n: Number of conformers to try.
    Returns:
        The workers, a context manager.
    """
    function = partial(try_read, schema=schema, n=n, seed=seed)
    return Workers(function, num_workers, n * time_limit(schema), keep_failure)


def first_conformers(read: Sequence[list[Molecule] | RowError]) -> list[Molecule | RowError]:
    """Takes one conformer of each molecule that was read."""
    return [each if isinstance(each, RowError) else each[0] for each in read]


def _prepare(source: Source, schema: Schema, to_write: bool = False) -> Prepared:
    if isinstance(source, str) and not schema.coordinates and not schema.hydrogens:
        return prepare_smiles(source, to_write)
    return prepare(parse_source(source), schema.hydrogens, schema.coordinates)


def parse_source(source: Source) -> Chem.Mol:
    """The RDKit molecule of a source.

    Raises:
        RowError: Why there is none.
    """
    if isinstance(source, RowError):
        raise source
    if isinstance(source, LabelledGraph):
        raise RowError("a graph, where the model takes molecules", "type")
    if not isinstance(source, bytes):
        return parse_smiles(source)
    mol = from_binary(source)
    if not all(np.isfinite(conformer.GetPositions()).all() for conformer in mol.GetConformers()):
        raise RowError("positions that are not finite numbers", "positions")
    return mol


def _from_parts(graph: Graph, binary: bytes, notes: tuple[str, ...]) -> Molecule:
    return Molecule(graph, notes, from_binary(binary))


def from_binary(binary: bytes) -> Chem.Mol:
    """The molecule of a binary form that `as_source` gave."""
    return Chem.Mol(binary)  # type: ignore[call-overload]  # RDKit's stub says str
