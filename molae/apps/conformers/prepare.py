"""Files of molecules to files of ensembles, for models of conformers to learn from."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa

from molae.apps.chunks import Steps, Work, chunk_sources
from molae.apps.conformers.ensembles import Ensemble, read_references
from molae.apps.conformers.exclusion import read_exclusion, require_wanted
from molae.apps.conformers.generator import identity_of
from molae.apps.conformers.isomers import read_whole
from molae.apps.conformers.recipe import Made, Recipe, convert_ensemble, make_ensemble
from molae.apps.molecules import Source as Molecular
from molae.apps.molecules import as_source, from_binary
from molae.apps.rows import Progress, Source, Summary, no_progress, process_rows
from molae.chem.gfn2 import HARTREE
from molae.errors import ConfigError, RowError
from molae.io import Chunk, Reader, Row, digest
from molae.io.ensembles import ensemble_columns, ensemble_metadata
from molae.io.readers import shard_places

logger = logging.getLogger("molae.apps")

ENSEMBLE_SUFFIXES = (".parquet",)

# Molecules of a chunk, of which an interruption loses a few.
_CHUNK_SIZE = {"mmff": 128, "gfn2": 32, "given": 128}
# Units of energy, by the end of a property's name, in kcal/mol.
_UNITS = {"_Eh": HARTREE, "_kcal_mol": 1.0}
_CONFORMERS, _ENERGIES = "conformers", "energies"


@dataclass(frozen=True)
class References:
    """How reference ensembles are read from an SD file.

    Attributes:
        minima: Table of minima, of which each counts once (see `molae.apps.conformers.ensembles`).
        energy: Property with the energy of a record, whose name ends in its unit, `_Eh` or `_kcal_mol`.
    """

    minima: Path | None = None
    energy: str | None = None


@dataclass(frozen=True)
class Item:
    """A molecule as the processes get it: a row, or reference conformers with their energies in kcal/mol."""

    source: Molecular
    conformers: tuple[bytes, ...] = ()
    energies: tuple[float, ...] = ()


def prepare_file(
    source: Source,
    output: str | Path,
    recipe: Recipe,
    *,
    exclude: Sequence[str | Path] = (),
    references: References | None = None,
    on_error: Literal["keep", "drop", "fail"] = "keep",
    resume: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """Writes a Parquet file with an ensemble of low-energy conformers for every molecule of a file.

    `molae.io.ensembles.read_ensembles` reads it. A row has `status` and `error`; `row`, the number of the
    row of the input, or of the molecule where conformers are given, from 1; `id`; `smiles`, canonical and
    isomeric with all hydrogens as atoms; `conformers`, their number; `positions`, in steps of 0.001 Å in the
    order of the SMILES; `energies` in kcal/mol above the lowest; `level` of theory; `seed`.

    Args:
        source: The input.
        output: Path of the output, `.parquet`.
        recipe: How ensembles are made.
        exclude: Files of molecules that are to be left out, whatever their stereo.
        references: With the level `given`, how to read the input, an SD file.
        on_error: Whether to `keep` failed rows, without an ensemble, to `drop` them, or to `fail` at the
            first.
        resume: Whether to go on with what an interrupted run left.
        progress: Told after every few rows.
    Returns:
        The counts of molecules; those left out by the file that has them.
    Raises:
        MolaeError: If the input, the output or an option cannot be used; with `on_error="fail"`, a RowError
            that names file, row and reason.
    """
    settings = asdict(recipe) | {"model": identity_of(recipe.model)}
    settings |= {"exclude": [digest(path) for path in exclude]}
    if recipe.level == "given":
        references = references or References()
        source = _GivenSource(**vars(source), references=references)
        settings |= {"energy": references.energy, "minima": references.minima and digest(references.minima)}
    elif references is not None:
        raise ConfigError(
            f"minima, energy: the level {recipe.level!r} makes its own conformers, give neither"
        )
    steps = Steps(
        _given_items if recipe.level == "given" else _items,
        partial(_try_make, recipe=recipe, excluded=read_exclusion(exclude, source.num_workers)),
        _open_columns,
        _CHUNK_SIZE[recipe.level],
        keep_columns=False,
        # The recipe asks its own limit only now and then.
        limit=None if recipe.time_limit is None else 60.0 + 2.0 * recipe.time_limit,
    )
    return process_rows(
        source,
        output,
        steps,
        {"verb": "prepare", **settings},
        on_error=on_error,
        resume=resume,
        suffixes=ENSEMBLE_SUFFIXES,
        metadata=ensemble_metadata(asdict(recipe)),
        progress=progress,
    )


@dataclass(frozen=True)
class _GivenSource(Source):
    """An SD file of reference ensembles, each of which is a row."""

    references: References = References()

    def open(self, chunk_size: int = _CHUNK_SIZE["given"]) -> Reader:
        rows = _GivenRows(self)
        places = None if self.shard is None else shard_places(self.shard, rows.count(), self.path)
        return Reader(str(self.path), None, rows, chunk_size, places)


class _GivenRows:
    """The ensembles of a file as rows of a `molae.io.Reader`."""

    smiles_column: str | None = None
    id_column: str | None = None

    def __init__(self, source: _GivenSource) -> None:
        energy = source.references.energy
        factor = 1.0 if energy is None else _unit(energy)
        found = read_references(source.path, source.references.minima, energy)
        self._molecules, self._factor = found.molecules, factor
        self.total: int | None = len(found.molecules)
        if found.left_out:
            kinds = ", ".join(f"{kind} {count}" for kind, count in found.left_out.most_common())
            logger.info("%s: %d records left out (%s)", source.path, found.left_out.total(), kinds)
        if energy is not None and all(math.isnan(e) for each in found.molecules for e in each.energies):
            raise ConfigError(f"energy: no record of {source.path} has the property {energy!r}")

    def count(self) -> int:
        return len(self._molecules)

    def chunks(self, size: int, start: int = 0) -> Iterator[Chunk]:
        for first in range(start, len(self._molecules), size):
            molecules = self._molecules[first : first + size]
            rows = [
                Row(first + place, mol=each.conformers[0], id=each.name)
                for place, each in enumerate(molecules, start=1)
            ]
            yield Chunk(rows, self._table(molecules))

    def _table(self, molecules: Sequence[Ensemble]) -> pa.Table:
        binaries = [[as_source(mol) for mol in each.conformers] for each in molecules]
        energies = [[energy * self._factor for energy in each.energies] for each in molecules]
        return pa.table(
            {
                _CONFORMERS: pa.array(binaries, pa.list_(pa.binary())),
                _ENERGIES: pa.array(energies, pa.list_(pa.float64())),
            }
        )


def _unit(energy: str) -> float:
    for suffix, factor in _UNITS.items():
        if energy.endswith(suffix):
            return factor
    raise ConfigError(f"energy: expected a name that ends in {' or '.join(_UNITS)}, its unit, got {energy!r}")


def _items(chunk: Chunk) -> list[Item]:
    return [Item(source) for source in chunk_sources(chunk)]


def _given_items(chunk: Chunk) -> list[Item]:
    return [
        Item(source, tuple(held[_CONFORMERS]), tuple(held[_ENERGIES]))
        for source, held in zip(chunk_sources(chunk), chunk.columns.to_pylist(), strict=True)
    ]


def _try_make(item: Item, recipe: Recipe, excluded: Mapping[str, str]) -> Made | RowError:
    """The ensemble, or why there is none: a bad row never stops a run."""
    try:
        if excluded:
            require_wanted(read_whole(item.source)[0], excluded)
        if recipe.level == "given":
            return convert_ensemble([from_binary(each) for each in item.conformers], item.energies, recipe)
        return make_ensemble(item.source, recipe)
    except RowError as error:
        return error
    except (RuntimeError, ValueError, ArithmeticError) as error:  # whatever RDKit may come up with
        logger.debug("unexpected error", exc_info=True)
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        return RowError(f"no ensemble: {type(error).__name__}: {reason}", "unexpected")


def _open_columns() -> Work[Made]:
    return _columns


def _columns(chunk: Chunk, read: list[Made | RowError]) -> tuple[list[RowError | None], dict[str, pa.Array]]:
    ensembles = [None if isinstance(each, RowError) else each.ensemble for each in read]
    numbers, names = [row.number for row in chunk.rows], [row.id for row in chunk.rows]
    errors = [each if isinstance(each, RowError) else None for each in read]
    return errors, ensemble_columns(ensembles, numbers, names)
