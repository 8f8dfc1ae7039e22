"""Files of molecules to SD files of conformers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from rdkit import Chem

from molae.apps.chunks import Steps, Work
from molae.apps.conformers.generator import DEFAULT, identity_of, open_generator
from molae.apps.conformers.isomers import MAX_ISOMERS, Isomer, try_isomers
from molae.apps.conformers.sampled import Request, check_request
from molae.apps.molecules import Source as Molecular
from molae.apps.molecules import as_source
from molae.apps.rows import Progress, Source, Summary, no_progress, process_rows
from molae.chem.isomers import isomeric_smiles, with_positions
from molae.chem.molblocks import mol_blocks
from molae.errors import RowError
from molae.io import RECORD_SUFFIXES, Chunk

# Molecules of a chunk: the text of their conformers is held in memory.
_CHUNK_SIZE = 32


@dataclass(frozen=True)
class Item:
    """A row as the processes get it."""

    source: Molecular
    name: str
    row: int


@dataclass(frozen=True)
class Records:
    """The text of the records of a row, and notes on them."""

    text: str
    notes: tuple[str, ...]


def conformers_file(
    source: Source,
    output: str | Path,
    request: Request,
    model: str = DEFAULT,
    *,
    enumerate_stereo: bool = False,
    on_error: Literal["keep", "drop", "fail"] = "keep",
    resume: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """Writes an SD file with the conformers of every molecule of a file, all hydrogens included.

    A record is named by the row's id, or by its number. Its properties: `molae_row`, the number of the row
    in the input, from 1; `smiles`, isomeric, from the positions; `molae_generator`, how the conformer was
    made (see `molae.apps.conformers.sampled.Sampled`); `molae_stereo`, `picked` or `enumerated` where the
    input left stereo open; where relaxed `molae_energy_method`, `molae_energy_kcal_mol` and
    `molae_relative_energy_kcal_mol`, above the lowest of the molecule. A failed row that is kept is a record
    without atoms, with `molae_status` (`failed`) and `molae_error`.

    Args:
        source: The input.
        output: Path of the SD file.
        request: What is asked for.
        model: Name of the generator (see `molae.apps.conformers.generator.open_generator`).
        enumerate_stereo: Whether all isomers of molecules with open stereo are wanted.
        on_error: Whether to `keep` failed rows, to `drop` them, or to `fail` at the first.
        resume: Whether to go on with what an interrupted run left.
        progress: Told after every few rows.
    Returns:
        The counts of rows.
    Raises:
        MolaeError: If the input, the output, an option or the generator cannot be used; with
            `on_error="fail"`, a RowError that names file, row and reason.
    """
    check_request(request)
    open_generator(model, request.time_limit)
    steps = Steps(
        _items,
        partial(_make, model=model, request=request, enumerate_stereo=enumerate_stereo),
        _open_columns,
        _CHUNK_SIZE,
        limit=_limit(request, enumerate_stereo),
    )
    return process_rows(
        source,
        output,
        steps,
        {
            "verb": "conformers",
            "model": identity_of(model),
            **vars(request),
            "enumerate_stereo": enumerate_stereo,
        },
        on_error=on_error,
        resume=resume,
        suffixes=RECORD_SUFFIXES,
        progress=progress,
    )


def _limit(request: Request, enumerate_stereo: bool) -> float | None:
    """When a molecule must have hung: its own limit is for each isomer, and asked only between conformers."""
    if request.time_limit is None:
        return None
    return 60.0 + 2.0 * request.time_limit * (MAX_ISOMERS if enumerate_stereo else 1)


def _items(chunk: Chunk) -> list[Item]:
    return [Item(as_source(row), _title(row.id) or str(row.number), row.number) for row in chunk.rows]


def _title(name: str | None) -> str:
    """A name as the first line of a record: without line breaks, and not what ends a record."""
    title = " ".join((name or "").split())
    return f"_{title}" if title.startswith("$$$$") else title


def _make(item: Item, model: str, request: Request, enumerate_stereo: bool) -> Records | RowError:
    generator = open_generator(model, request.time_limit)
    isomers = try_isomers(item.source, generator, request, enumerate_stereo)
    if isinstance(isomers, RowError):
        return isomers
    text = "".join(record for isomer in isomers for record in _records(isomer, item))
    return Records(text, tuple(dict.fromkeys(note for isomer in isomers for note in isomer.notes)))


def _open_columns() -> Work[Records]:
    return _columns


def _columns(
    chunk: Chunk, read: list[Records | RowError]
) -> tuple[list[RowError | None], dict[str, pa.Array]]:
    texts = [
        _failed(item, each) if isinstance(each, RowError) else each.text
        for item, each in zip(_items(chunk), read, strict=True)
    ]
    errors = [each if isinstance(each, RowError) else None for each in read]
    return errors, {"records": pa.array(texts, pa.large_string())}


def _records(isomer: Isomer, item: Item) -> Iterator[str]:
    sampled = isomer.sampled
    mol = Chem.Mol(isomer.mol)
    mol.SetProp("_Name", item.name)
    # All conformers are the isomer that the first one is (see `sample_conformers`).
    smiles = isomeric_smiles(with_positions(mol, sampled.positions[:1]))
    common = {"molae_row": str(item.row), "smiles": smiles}
    if isomer.stereo != "specified":
        common["molae_stereo"] = isomer.stereo
    if sampled.method is not None:
        common["molae_energy_method"] = sampled.method
        lowest = np.nanmin(sampled.energies)
    blocks = mol_blocks(mol, sampled.positions)
    for block, made_by, energy in zip(blocks, sampled.made_by, sampled.energies, strict=True):
        properties = common | {"molae_generator": made_by}
        if sampled.method is not None:
            properties["molae_energy_kcal_mol"] = f"{energy:.4f}"
            properties["molae_relative_energy_kcal_mol"] = f"{energy - lowest:.4f}"
        yield _record(block, properties)


def _failed(item: Item, error: RowError) -> str:
    mol = Chem.Mol()
    mol.SetProp("_Name", item.name)
    properties = {"molae_row": str(item.row), "molae_status": "failed", "molae_error": error.reason}
    return _record(Chem.MolToMolBlock(mol), properties)


def _record(block: str, properties: dict[str, str]) -> str:
    return block + "".join(f">  <{name}>\n{value}\n\n" for name, value in properties.items()) + "$$$$\n"
