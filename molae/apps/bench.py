"""What this machine does in a second, stage by stage, and what a library of a given size would take."""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem

from molae.apps.chunks import chunk_sources
from molae.apps.conformers.generator import open_generator
from molae.apps.conformers.isomers import try_isomers
from molae.apps.conformers.sampled import Request
from molae.apps.embed import BATCH_SIZE, Precision, embed_read, require_precision
from molae.apps.loading import open_model
from molae.apps.molecules import Source as Molecular
from molae.apps.molecules import parse_source
from molae.apps.reading import try_embeddable
from molae.apps.rows import Source
from molae.apps.samples import Embeddable
from molae.autoencoder import Autoencoder
from molae.chem.quiet import Quiet
from molae.errors import ConfigError, DataError, RowError
from molae.io import PartStore, matrix_column, outcome

PARSE, FEATURISE, ENCODE, WRITE, CONFORMERS = STAGES = (
    "parse",
    "featurise",
    "encode",
    "write",
    "conformers",
)
"""`parse`: RDKit's parser alone; `featurise`: from a row of the input to what the model reads, with the
parser and, where the model takes one, the conformer; `encode`; `write`: to Parquet; `conformers`: one
conformer of a molecule, as `molae conformers` makes it, in the place of all others."""

ALL = "all"
# Most heavy atoms of a class of sizes, and its name.
_SIZES = ((16, "up to 16"), (32, "17 to 32"), (1 << 30, "33 and more"))
_CHUNK_SIZE = 256
# Conformers take so long that a few molecules of a chunk have to do.
_CONFORMERS = 8

# Drugs and fragments of usual sizes, so that there is something to measure without a file.
_DRUGS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C)C(=O)N2C",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "CC(=O)Nc1ccc(O)cc1",
    "CN(C)CCc1c[nH]c2ccc(CS(=O)(=O)N3CCCC3)cc12",
    "Clc1ccccc1C1(NC)CCCCC1=O",
    "COc1ccc2[nH]cc(CCNC(C)=O)c2c1",
    "CC(C)NCC(O)COc1cccc2ccccc12",
    "Cc1ccc(-c2cc(C(F)(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1",
    "CN1CCN(CC1)Cc1ccc(cc1)C(=O)Nc1ccc(C)c(Nc2nccc(n2)-c2cccnc2)c1",
    "CCOC(=O)c1ncn2c1CN(C)C(=O)c1cc(F)ccc12",
    "O=C(O)Cc1ccccc1Nc1c(Cl)cccc1Cl",
    "CNCCC(Oc1ccc(cc1)C(F)(F)F)c1ccccc1",
    "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O",
    "OC(Cn1cncn1)(Cn1cncn1)c1ccc(F)cc1F",
    "COc1cc2ncnc(Nc3ccc(F)c(Cl)c3)c2cc1OCCCN1CCOCC1",
    "CC(C)c1c(C(=O)Nc2ccccc2)c(-c2ccccc2)c(-c2ccc(F)cc2)n1CCC(O)CC(O)CC(=O)O",
    "CC(C)(C)NC(=O)C1CN(Cc2cccnc2)CCN1CC(O)CC(Cc1ccccc1)C(=O)NC1C(O)Cc2ccccc12",
)


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        model: Name of the model.
        device: Where it ran.
        precision: Numbers that it calculated with.
        cores: Cores that this process may use; one was.
        code_size: Numbers of a code.
        heavy_atoms: Mean number of heavy atoms.
        molecules: Molecules measured, by class of sizes.
        seconds: Seconds of one molecule, by class of sizes and stage.
        bytes: Size of the output for one molecule.
    """

    model: str
    device: str
    precision: str
    cores: int
    code_size: int
    heavy_atoms: float
    molecules: dict[str, int]
    seconds: dict[str, dict[str, float]]
    bytes: float

    def embed_seconds(self, size: str = ALL) -> float:
        """Seconds of one core to embed one molecule, from a row of the input to Parquet."""
        return sum(self.seconds[size][stage] for stage in (FEATURISE, ENCODE, WRITE))

    def estimate(self, molecules: int) -> dict[str, float]:
        """What `molecules` molecules would take, were they like those measured.

        Args:
            molecules: How many.
        Returns:
            `embed_core_hours`; `embed_hours`, with a shard on every core of this machine; `gigabytes`
            written; `conformers_core_hours`, for one conformer of each.
        """
        hours = self.embed_seconds() * molecules / 3600
        return {
            "embed_core_hours": hours,
            "embed_hours": hours / self.cores,
            "gigabytes": self.bytes * molecules / 1e9,
            "conformers_core_hours": self.seconds[ALL][CONFORMERS] * molecules / 3600,
        }

    def report(self, molecules: int | None = None) -> dict[str, Any]:
        """All figures, as JSON can hold them."""
        found = {**vars(self), "embed_seconds": self.embed_seconds()}
        if molecules is None:
            return found
        return found | {"estimate": {"molecules": molecules, **self.estimate(molecules)}}


def bench(
    source: Source | None = None,
    model: str | Path = "graph",
    *,
    seconds: float = 20.0,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    precision: Precision = "float32",
) -> Bench:
    """Measures each stage of `molae embed`, and conformers, one after the other, in this process.

    On a CPU the seconds are those of the processor, so that what else it is busy with does not count; with a
    GPU, those of the clock.

    Args:
        source: Molecules to measure with, from the first on; None for drugs that molae brings along.
        model: Name of a shipped model, or path of a model directory.
        seconds: About how long to measure; the first molecules, by which caches fill, are measured beside.
        batch_size: Molecules that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        precision: Numbers that the model calculates with.
    Returns:
        The figures, without the time to start.
    Raises:
        ConfigError: If an option does not fit, or the model is of graphs that are no molecules.
        DataError: If the input cannot be read, or no molecule of it can be used.
    """
    if not seconds > 0:
        raise ConfigError(f"seconds: expected a number above 0, got {seconds}")
    require_precision(precision)
    opened = open_model(model, device)
    now = time.process_time if next(opened.parameters()).device.type == "cpu" else time.perf_counter
    embedding = partial(embed_read, opened, batch_size=batch_size, precision=precision)
    clock = _Clock(now)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "codes.parquet"
        store = PartStore(output, "-", {})
        parts = count()
        for index, sources in enumerate(_sources(source)):
            if index == 0:
                _measure(opened, sources[:batch_size], embedding, store, parts, _Clock(now))
            _measure(opened, sources, embedding, store, parts, clock)
            if time.monotonic() > end:
                break
        if clock.atoms:
            store.finish()
            size_of_row = _bytes_of_row(pq.read_metadata(output))
    if not clock.atoms:
        raise DataError("no molecule to measure with: every row failed")
    counts, spent = clock.molecules, clock.seconds
    for stage in STAGES:
        counts[ALL, stage] = sum(counts[size, stage] for _, size in _SIZES)
        spent[ALL, stage] = sum(spent[size, stage] for _, size in _SIZES)
    sizes = [size for size in (*(name for _, name in _SIZES), ALL) if counts[size, CONFORMERS]]
    return Bench(
        model=str(model),
        device=next(opened.parameters()).device.type,
        precision=precision,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        code_size=opened.config.code_size,
        heavy_atoms=float(np.mean(clock.atoms)),
        molecules={size: counts[size, FEATURISE] for size in sizes},
        seconds={size: {each: spent[size, each] / counts[size, each] for each in STAGES} for size in sizes},
        bytes=size_of_row,
    )


@dataclass
class _Clock:
    """Seconds and molecules by class of sizes and stage, and what else is counted."""

    now: Callable[[], float]
    seconds: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    molecules: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    atoms: list[int] = field(default_factory=list)

    @contextmanager
    def measure(self, size: str, stage: str, molecules: int) -> Iterator[None]:
        start = self.now()
        yield
        self.seconds[size, stage] += self.now() - start
        self.molecules[size, stage] += molecules


def _bytes_of_row(found: pq.FileMetaData) -> float:
    """Before compression, which gains much only where molecules come several times, as they may here."""
    groups = (found.row_group(index) for index in range(found.num_row_groups))
    return sum(group.total_byte_size for group in groups) / found.num_rows


def _sources(source: Source | None) -> Iterator[list[Molecular]]:
    """Chunks of molecules, without an end where they are our own."""
    if source is None:
        drugs: Iterator[Molecular] = cycle(_DRUGS)
        while True:
            yield list(islice(drugs, _CHUNK_SIZE))
    with source.open(_CHUNK_SIZE) as reader:
        for chunk in reader:
            yield chunk_sources(chunk)


def _measure(
    model: Autoencoder,
    sources: Sequence[Molecular],
    embedding: Callable[[Sequence[Embeddable | RowError]], tuple[np.ndarray, list[RowError | None]]],
    store: PartStore,
    parts: Iterator[int],
    clock: _Clock,
) -> None:
    """Works on molecules, a class of sizes after the other."""
    ranked = model.encoder.reads_ranks
    groups: dict[str, list[tuple[Molecular, int]]] = defaultdict(list)
    for each in sources:
        if atoms := _heavy_atoms(each):
            groups[next(name for most, name in _SIZES if atoms <= most)].append((each, atoms))
    for size, group in groups.items():
        members = [each for each, _ in group]
        clock.atoms += (atoms for _, atoms in group)
        with clock.measure(size, PARSE, len(group)):
            for each in members:
                _parse(each)
        with clock.measure(size, FEATURISE, len(group)), Quiet():
            read = [try_embeddable(each, model.schema, ranked=ranked) for each in members]
        with clock.measure(size, ENCODE, len(group)):
            vectors, errors = embedding(read)
        table = pa.table({"smiles": [each if isinstance(each, str) else None for each in members]})
        valid = np.array([error is None for error in errors])
        with clock.measure(size, WRITE, len(group)):
            added = outcome(errors) | {"embedding": matrix_column(vectors, valid)}
            store.write(next(parts), table, added)
        few = members[:_CONFORMERS]
        with clock.measure(size, CONFORMERS, len(few)):
            for each in few:
                try_isomers(each, open_generator(), Request(n=1))


def _parse(source: Molecular) -> Chem.Mol | None:
    """RDKit's parser, and nothing else."""
    return Chem.MolFromSmiles(source) if isinstance(source, str) else parse_source(source)


def _heavy_atoms(source: Molecular) -> int:
    """The number of heavy atoms, 0 where there is no molecule."""
    try:
        return parse_source(source).GetNumHeavyAtoms()
    except RowError:
        return 0
