"""New graphs and molecules: codes drawn from a prior, and decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from rdkit import Chem

from molae.apps.decode import smiles_of, try_decode
from molae.apps.embed import BATCH_SIZE, embed_read
from molae.apps.files import OnError
from molae.apps.graphs import decode_graphs
from molae.apps.loading import Model, open_model
from molae.apps.priors import PriorChoice, open_prior
from molae.apps.rows import Progress, Source, Summary, no_progress
from molae.apps.whole import read_whole
from molae.autoencoder import Autoencoder
from molae.errors import ConfigError, RowError
from molae.io import LINE_SUFFIXES, TABLE_SUFFIXES, check_folder, output_suffix, write_table

if TYPE_CHECKING:
    import networkx as nx

# Codes that are drawn and decoded before a table of them is written.
_CHUNK = 4096
_TABLE = pa.schema([("smiles", pa.string()), ("status", pa.string()), ("error", pa.string())])


def generate_graphs(
    n: int,
    codes: Float[np.ndarray, "g d"] | None,
    model: Model,
    *,
    prior: PriorChoice | None = None,
    seed: int = 0,
    device: str = "auto",
) -> list[nx.Graph]:
    """Decodes new codes, drawn from a distribution that is fitted to given ones or stored with the model.

    Args:
        n: Number of graphs.
        codes: Codes of graphs of the kind that is wanted, as `molae.embed` gives them, not NaN; None for the
            prior that `molae.fit_prior` stored with the model.
        model: Path of the model that made the codes, or the loaded model.
        prior: What is fitted to the codes (see `molae.fit_prior`); `adapted`, the stored prior taught the
            codes, is the default where there is one, a Gaussian mixture where not.
        seed: Seed of the fit and of the draws.
        device: `auto`, `cpu` or `cuda`.
    Returns:
        The graphs, as from `decode_graphs`.
    Raises:
        ConfigError: If the model is one of molecules, or the codes do not fit it.
        CheckpointError: If there is no such model, it is damaged, or it has no prior and there are no codes.
    """
    _check_number(n)
    opened = open_model(model, device, kind="graphs")
    return decode_graphs(open_prior(codes, model, opened, prior, seed).sample(n, seed), opened, device=device)


def generate_molecules(
    n: int,
    codes: Float[np.ndarray, "g d"] | None = None,
    model: Model = "graph",
    *,
    prior: PriorChoice | None = None,
    seed: int = 0,
    device: str = "auto",
) -> list[Chem.Mol | None]:
    """Decodes new codes to molecules, as `generate_graphs` does to graphs.

    Args:
        n: Number of molecules.
        codes: Codes of molecules of the kind that is wanted, as `molae.embed` gives them, not NaN; None for
            the prior that is stored with the model: `graph` ships with one of drug-like molecules.
        model: Name or path of the model that made the codes, or the loaded model.
        prior: As for `generate_graphs`.
        seed: Seed of the fit and of the draws.
        device: `auto`, `cpu` or `cuda`.
    Returns:
        The molecules, with coordinates in Å where the model has them; None where what is decoded is no valid
        molecule. Nothing is repaired.
    Raises:
        ConfigError: If the model is not one of molecules, or the codes do not fit it.
        CheckpointError: If there is no such model, it is damaged, or it has no prior and there are no codes.
    """
    _check_number(n)
    opened = open_model(model, device)
    drawn = open_prior(codes, model, opened, prior, seed).sample(n, seed)
    return [None if isinstance(mol, RowError) else mol for mol in try_decode(opened, drawn)]


def generate_file(
    n: int,
    output: str | Path,
    model: str | Path = "graph",
    like: Source | None = None,
    *,
    prior: PriorChoice | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    on_error: OnError = "keep",
    progress: Progress = no_progress,
) -> Summary:
    """Writes new molecules: `smiles`, `status` and `error`, a row for each code that was drawn.

    Args:
        n: Number of codes.
        output: Path of the output: a table; or `.smi`, the SMILES of the valid ones.
        model: Name or path of a model of molecules.
        like: Molecules that new ones are to be like; None for the prior that is stored with the model.
        prior: What is fitted to these, as for `generate_graphs`.
        seed: Seed of the fit and of the draws.
        batch_size: Codes that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        on_error: Whether to `keep` draws that are no valid molecule, to `drop` them, or to `fail` at the
            first.
        progress: Told after every few molecules.
    Returns:
        The counts.
    Raises:
        MolaeError: If the model, the input or the output cannot be used; with `on_error="fail"`, a RowError.
    """
    _check_number(n)
    path = Path(output)
    suffix = output_suffix(path, (*TABLE_SUFFIXES, *LINE_SUFFIXES))
    check_folder(path)
    opened = open_model(model, device, kind="any")
    if opened.schema.labels is not None:
        raise ConfigError(f"{model} is a model of graphs: draw new ones with `molae.generate_graphs`")
    codes = None if like is None else _codes(like, opened, batch_size)
    drawn = open_prior(codes, model, opened, prior, seed)
    summary = Summary()

    def tables() -> Iterator[pa.Table]:
        for chunk, start in enumerate(range(0, n, _CHUNK)):
            # Every chunk has a seed of its own, so that none has to wait for all that are to come.
            draws = drawn.sample(min(_CHUNK, n - start), _seed_of(seed, chunk))
            found = try_decode(opened, draws, batch_size)
            summary.count((), [each if isinstance(each, RowError) else None for each in found])
            yield _as_table(found, on_error)
            progress(len(found), n)

    write_table(path, suffix, _TABLE, tables)
    return summary


def _codes(source: Source, model: Autoencoder, batch_size: int) -> Float[np.ndarray, "g d"]:
    samples, _ = read_whole(source, model)
    return embed_read(model, samples, batch_size)[0]


def _as_table(found: Sequence[Chem.Mol | RowError], on_error: OnError) -> pa.Table:
    rows = []
    for each in found:
        if not isinstance(each, RowError):
            rows.append({"smiles": smiles_of(each), "status": "ok"})
        elif on_error == "fail":
            raise each
        elif on_error == "keep":
            rows.append({"status": "failed", "error": str(each)})
    return pa.Table.from_pylist(rows, schema=_TABLE)


def _seed_of(seed: int, chunk: int) -> int:
    return int(np.random.SeedSequence((seed, chunk)).generate_state(1)[0]) if chunk else seed


def _check_number(n: int) -> None:
    if n < 1:
        raise ConfigError(f"n: expected at least 1, got {n}")
