"""Vectors to molecules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from rdkit import Chem

from molae.apps.embed import BATCH_SIZE
from molae.apps.explore.codes import Codes, read_codes
from molae.apps.files import OnError
from molae.apps.graphs import decode_in_batches
from molae.apps.loading import Model, open_model
from molae.apps.reconstruct import rebuild_all
from molae.apps.rows import Progress, Summary, no_progress
from molae.autoencoder import Autoencoder
from molae.chem.quiet import Quiet
from molae.errors import ConfigError, RowError
from molae.io import LINE_SUFFIXES, TABLE_SUFFIXES, check_folder, outcome, output_suffix, write_table
from molae.io.columns import unique_names

# Codes that are decoded before a table of them is written.
_CHUNK = 4096
_NO_CODE = RowError("no code in this row", "empty")


def decode_molecules(
    codes: Float[np.ndarray, "n d"],
    model: Model = "molecule",
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
) -> list[Chem.Mol | None]:
    """Turns vectors back into molecules.

    Args:
        codes: Codes as `molae.embed` gives them, whole, or any others, as between those of two molecules.
        model: Name or path of the model that made them, or the loaded model.
        batch_size: Codes that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
    Returns:
        A molecule for each code, with coordinates in Å where the model has them, in the model's canonical
        order and pose; None for a row of NaN, and where what is decoded is no valid molecule. Nothing is
        repaired.
    Raises:
        ConfigError: If the model is not one of molecules, or the codes do not fit it.
        CheckpointError: If there is no such model, or it is damaged.

    >>> import molae
    >>> [Chem.MolToSmiles(mol) for mol in decode_molecules(molae.embed(["OCC"], "graph"), "graph")]
    ['CCO']
    """
    found = try_decode(open_model(model, device), codes, batch_size)
    return [None if isinstance(mol, RowError) else mol for mol in found]


def decode_file(
    codes: str | Path,
    output: str | Path,
    model: str | None = None,
    *,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    on_error: OnError = "keep",
    progress: Progress = no_progress,
) -> Summary:
    """Turns a file of codes back into molecules, a row for each code.

    A table has the columns that the codes have beside them, `decoded_smiles`, `status` and `error`.

    Args:
        codes: A `.parquet`, `.csv`, `.csv.gz`, `.npz` or `.npy` file that `molae embed` wrote, or a folder of
            its shards in Parquet.
        output: Path of the output: a table; or `.smi`, the SMILES of the valid molecules alone.
        model: Name or path of the model that made the codes; None for the one that the file names.
        batch_size: Codes that the model takes at once.
        device: `auto`, `cpu` or `cuda`.
        on_error: Whether to `keep` rows that give no valid molecule, to `drop` them, or to `fail` at the
            first.
        progress: Told after every few rows.
    Returns:
        The counts.
    Raises:
        MolaeError: If the codes, the model or the output cannot be used; with `on_error="fail"`, a RowError
            that names file, row and reason.
    """
    path = Path(output)
    suffix = output_suffix(path, (*TABLE_SUFFIXES, *LINE_SUFFIXES))
    check_folder(path)
    found = read_codes(codes)
    opened = open_model(_model_of(found, model), device)
    alone = suffix in LINE_SUFFIXES
    summary = Summary()

    def tables() -> Iterator[pa.Table]:
        for start in range(0, len(found), _CHUNK):
            part = found.take(np.arange(start, min(start + _CHUNK, len(found))))
            mols = try_decode(opened, part.vectors, batch_size)
            summary.count((), [each if isinstance(each, RowError) else None for each in mols])
            yield _as_table(part, mols, on_error, alone)
            progress(len(part), len(found))

    write_table(path, suffix, _as_table(found.take(np.arange(0)), [], on_error, alone).schema, tables)
    return summary


def try_decode(
    model: Autoencoder, codes: Float[np.ndarray, "n d"], batch_size: int = BATCH_SIZE
) -> list[Chem.Mol | RowError]:
    """Decodes codes to molecules; what is no valid one is not repaired.

    Args:
        model: Model of molecules, in evaluation mode.
        codes: Codes; all NaN for rows without.
        batch_size: Codes that the model takes at once.
    Returns:
        For each a molecule, or why there is none (see `molae.apps.reconstruct.rebuild_all`).
    Raises:
        ConfigError: If the codes do not fit the model, or some numbers of one are not finite.
    """
    codes = np.asarray(codes, dtype=np.float32)
    there = np.isfinite(codes).any(axis=1) if codes.ndim == 2 else np.ones(len(codes), dtype=bool)
    decoded = decode_in_batches(model, codes[there], batch_size)
    found = iter([_readable(mol) for each in decoded for mol in rebuild_all(each)])
    return [next(found) if known else _NO_CODE for known in there]


def smiles_of(mol: Chem.Mol) -> str:
    """The canonical SMILES of a molecule without its hydrogens, whether or not they are nodes."""
    with Quiet():
        return Chem.MolToSmiles(Chem.RemoveHs(mol))


def _readable(mol: Chem.Mol | RowError) -> Chem.Mol | RowError:
    """The molecule, or why it has no SMILES: what RDKit sanitises with hydrogens as nodes may not be valid
    without them."""
    if isinstance(mol, RowError):
        return mol
    try:
        smiles_of(mol)
    except Chem.MolSanitizeException as error:
        return RowError(f"decoded to no valid molecule: {error}", "not_sanitised")
    return mol


def _model_of(codes: Codes, model: str | None) -> str:
    if codes.origin is not None:
        return codes.origin.found(model, f"{codes.source} holds", "embed the molecules again").model
    if model is None:
        raise ConfigError(
            f"{codes.source} does not tell which model its codes came from: name it with --model"
        )
    return model


def _as_table(codes: Codes, mols: Sequence[Chem.Mol | RowError], on_error: OnError, alone: bool) -> pa.Table:
    """The columns beside the codes, and what was decoded; or, `alone`, the valid SMILES."""
    errors = [each if isinstance(each, RowError) else None for each in mols]
    if on_error == "fail":
        for row, error in zip(codes.rows.tolist(), errors, strict=True):
            if error is not None:
                raise RowError(f"{codes.source}, row {row}: {error.reason}", error.kind) from error
    smiles = [None if isinstance(each, RowError) else smiles_of(each) for each in mols]
    decoded = {"decoded_smiles": pa.array(smiles, pa.string())}
    if alone:
        return pa.table(decoded).drop_null()
    added = decoded | outcome(errors)
    names = unique_names([*codes.columns.column_names, *added])
    table = pa.table([*codes.columns.columns, *added.values()], names=names)
    valid = pa.array([error is None for error in errors], pa.bool_())
    return table.filter(valid) if on_error == "drop" else table
