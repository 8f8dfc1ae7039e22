"""Maps of codes, from file to file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from rdkit import Chem

from molae.apps.explore.codes import Codes, read_codes
from molae.apps.explore.colours import read_colours
from molae.apps.explore.drawings import draw_compact
from molae.apps.explore.page import Page, render
from molae.apps.explore.projection import Projection, project
from molae.apps.rows import Progress, Summary, no_progress
from molae.chem.parse import parse_smiles
from molae.errors import ConfigError, RowError
from molae.io import atomic_path
from molae.io.columns import require_column
from molae.io.writers import check_folder, output_suffix

MOST_MOLECULES = 20_000
"""A page of so many drug-like molecules has 20 to 25 MB; browsers draw more, but are slow to open it."""

_MOST_FACTS = 10
_LONGEST_FACT = 300


def map_file(
    codes: str | Path,
    output: str | Path,
    color: str | None = None,
    *,
    projection: Projection = "pca",
    limit: int = MOST_MOLECULES,
    seed: int = 0,
    model: str | Path | None = None,
    smiles_column: str | None = None,
    id_column: str | None = None,
    progress: Progress = no_progress,
) -> tuple[Summary, str]:
    """Draws the codes of a file as a map that a browser shows, offline.

    Args:
        codes: File of codes, see `molae.apps.explore.codes.read_codes`. Rows without a code are left out.
        output: The page to write, `.html`.
        color: Column that colours the molecules: numbers on a scale, anything else as groups.
        projection: `pca` or `umap`, see `molae.apps.explore.projection.project`.
        limit: Most molecules on the map; of more, as many are drawn at random, without replacement.
        seed: Seed of that choice and of UMAP.
        model: The model of the codes, if their file does not tell: of codes with a summary, that is drawn.
        smiles_column: Column of SMILES to draw, or None to find it; without any, nothing is drawn.
        id_column: Column of names, or None to find it.
        progress: Told after every few molecules.
    Returns:
        The counts of the rows, and what the page says of itself.
    Raises:
        DataError: If a file or column cannot be used.
        ConfigError: If an option does not fit, or a package is missing.
    """
    if limit < 1:
        raise ConfigError(f"limit: expected at least 1, got {limit}")
    output_suffix(Path(output), (".html",))
    check_folder(Path(output))
    read = read_codes(codes, smiles_column, id_column).of_model(model)
    if color is not None:
        require_column(read.columns.column_names, color, str(codes))
    usable = np.flatnonzero(read.valid)
    summary = Summary(ok=len(usable))
    if len(usable) < len(read):
        summary.failed["no_code"] = len(read) - len(usable)
    shown = read.take(_some(usable, limit, seed))
    colours = read_colours(color, shown.columns[color].to_pylist()) if color else None
    points, axes = project(shown.compared, projection, seed)
    drawings, canonical = _draw(shown.texts(shown.smiles_column), progress)
    facts = _facts(shown, len(read), len(usable), projection)
    page = Page(
        title=f"{shown.source}: {len(shown)} molecules" + (f", coloured by {color}" if color else ""),
        facts=facts,
        points=points,
        axes=axes,
        drawings=drawings,
        smiles=shown.texts(shown.smiles_column),
        canonical=canonical,
        names=shown.texts(shown.id_column),
        about=_about(shown, color),
        colours=colours,
    )
    with atomic_path(Path(output)) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    return summary, facts


def _some(places: Int[np.ndarray, " n"], limit: int, seed: int) -> Int[np.ndarray, " m"]:
    """As many of the places as the limit allows, in their order."""
    if len(places) <= limit:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, limit, replace=False))


def _draw(smiles: Sequence[str], progress: Progress) -> tuple[list[str], list[str]]:
    """For each molecule its drawing and its canonical SMILES, empty where RDKit does not read it."""
    drawings, canonical = [], []
    for text in smiles:
        try:
            mol = parse_smiles(text)
        except RowError:
            mol = None
        drawings.append("" if mol is None else draw_compact(mol))
        canonical.append("" if mol is None else Chem.MolToSmiles(mol))
        progress(1, len(smiles))
    return drawings, canonical


def _facts(shown: Codes, rows: int, usable: int, projection: str) -> str:
    model = f", codes of {Path(shown.origin.model).name}" if shown.origin else ""
    size = shown.compared.shape[1]
    part = "" if size == shown.vectors.shape[1] else ", the summary"
    whole = ", the whole code, as the file does not tell its model (--model)"
    parts = [f"{projection.upper()} of {size} numbers a molecule{part if shown.origin else whole}{model}"]
    if usable < rows:
        parts.append(f"{rows - usable} of {rows} rows have no code and are left out")
    if len(shown) < usable:
        parts.append(f"a random {len(shown)} of {usable} molecules are drawn (--limit)")
    if shown.smiles_column is None:
        parts.append("no column of SMILES: structures are not drawn")
    return "; ".join(parts) + "."


def _about(shown: Codes, color: str | None) -> dict[str, list[str]]:
    """What the page tells of each molecule: its row, and the columns that hold plain values."""
    about = {"row": [str(row) for row in shown.rows]}
    first = [shown.id_column, color, shown.smiles_column]
    plain = (entry.name for entry in shown.columns.schema if not pa.types.is_nested(entry.type))
    names = dict.fromkeys([*filter(None, first), *plain])
    for name in list(names)[:_MOST_FACTS]:
        # The number of the row is told already.
        about[name if name != "row" else "row "] = [text[:_LONGEST_FACT] for text in shown.texts(name)]
    return about
