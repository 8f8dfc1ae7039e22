"""A page that shows what `molae conformers` wrote: conformers laid over one another, energies, and a map."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.Chem import rdMolAlign

from molae.apps.explore.projection import project
from molae.chem.conformer_code import encode_conformers
from molae.chem.isomers import with_positions
from molae.errors import ConfigError, RowError
from molae.io import atomic_path, open_rows
from molae.io.writers import check_folder, output_suffix

MOST_MOLECULES = 20
"""Molecules that a page shows, the first ones."""
MOST_CONFORMERS = 100
"""Conformers of a molecule that a page shows, the first ones."""

_ROW, _SMILES, _MADE_BY = "molae_row", "smiles", "molae_generator"
_ENERGY, _METHOD = "molae_relative_energy_kcal_mol", "molae_energy_method"


@dataclass
class _Shown:
    """A molecule as the file has it.

    Attributes:
        name: Its name.
        smiles: Isomeric SMILES.
        mol: The molecule of the first record.
        positions: Positions of its conformers in Å.
        made_by: How each was made.
        energies: Energy above the lowest in kcal/mol; NaN where there is none.
        method: What the energies are of.
        count: Number of its conformers in the file.
    """

    name: str
    smiles: str
    mol: Chem.Mol
    method: str | None
    positions: list[Float[np.ndarray, "n 3"]] = field(default_factory=list)
    made_by: list[str] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
    count: int = 0


def require_report(output: str | Path) -> None:
    """Checks, before any work, that a page can be written.

    Raises:
        DataError: If the path is not `.html`, or its folder is not there.
        ConfigError: If plotly is not installed.
    """
    output_suffix(Path(output), (".html",))
    check_folder(Path(output))
    _plotly()


def report_file(conformers: str | Path, output: str | Path) -> None:
    """Shows the conformers of an SD file on one page of HTML that needs nothing else.

    For each of the first 20 molecules: up to 100 conformers as sticks, laid on the first by their heavy atoms
    and coloured by energy, or by place where there are no energies; the energies above the lowest; and a map,
    the two directions in which the codes of the conformers (`molae.chem.conformer_code`) differ most.

    Args:
        conformers: The file, as `molae conformers` writes it.
        output: The page, `.html`.
    Raises:
        DataError: If a file cannot be used.
        ConfigError: If plotly is not installed.
    """
    require_report(output)
    molecules, total = _read(conformers)
    shown = f"the first {len(molecules)} of {total}" if total > len(molecules) else str(total)
    data = [
        {"name": each.name, "smiles": each.smiles, "facts": _facts(each), "figure": _figure(each)}
        for each in molecules
    ]
    filled = {
        "title": escape(f"Conformers of {Path(conformers).name}"),
        "facts": escape(f"{shown} molecules; drag to turn them, click on the legend to hide conformers."),
        "plotly": _plotly()[1],
        # Nothing in a script may look like its end.
        "data": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    document = files("molae.apps.conformers").joinpath("report.html").read_text(encoding="utf-8")
    with atomic_path(Path(output)) as temporary:
        page = re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], document)
        temporary.write_text(page, encoding="utf-8")


def _read(path: str | Path) -> tuple[list[_Shown], int]:
    """The molecules that are shown, and how many the file has."""
    groups: dict[tuple[str, str], _Shown | None] = {}
    for mol, values in _records(path):
        key = values[_ROW], values[_SMILES]
        if key not in groups:
            new = _Shown(values["name"], values[_SMILES], mol, values.get(_METHOD))
            groups[key] = new if len(groups) < MOST_MOLECULES else None
        shown = groups[key]
        if shown is None:
            continue
        shown.count += 1
        if shown.count <= MOST_CONFORMERS:
            shown.positions.append(mol.GetConformer().GetPositions())
            shown.made_by.append(values[_MADE_BY])
            shown.energies.append(float(values.get(_ENERGY) or math.nan))
    return [each for each in groups.values() if each is not None], len(groups)


def _records(path: str | Path) -> Iterator[tuple[Chem.Mol, Mapping[str, str]]]:
    """The molecules of the records, with their properties; what is no conformer is left out."""
    with open_rows(path) as reader:
        for chunk in reader:
            for row, values in zip(chunk.rows, chunk.columns.to_pylist(), strict=True):
                if row.mol is not None and row.mol.GetNumAtoms() and values.get(_MADE_BY):
                    yield row.mol, values


def _facts(shown: _Shown) -> str:
    parts = [f"{len(shown.positions)} conformers"]
    if shown.count > len(shown.positions):
        parts = [f"the first {len(shown.positions)} of {shown.count} conformers"]
    counts = {each: shown.made_by.count(each) for each in dict.fromkeys(shown.made_by)}
    parts.append("made by " + ", ".join(f"{name} ({count})" for name, count in counts.items()))
    if shown.method is not None:
        parts.append(f"energies by {shown.method}")
    return "; ".join(parts)


def _figure(shown: _Shown) -> dict[str, Any]:
    """The figure of a molecule, as plotly's script takes it."""
    from plotly.subplots import make_subplots

    go, _ = _plotly()
    energies = np.array(shown.energies)
    relaxed = bool(np.isfinite(energies).all())
    points, axes = _map(shown)
    titles = ["conformers", "map of the codes", "energy above the lowest"]
    kinds = [{"type": "scene"}, {"type": "xy"}, {"type": "xy"}]
    count = 3 if relaxed else 2
    widths = [0.5, 0.25, 0.25] if relaxed else [0.6, 0.4]
    figure = make_subplots(
        rows=1, cols=count, specs=[kinds[:count]], column_widths=widths, subplot_titles=titles[:count]
    )
    colours = _colours(energies if relaxed else np.arange(len(energies)))
    names = [
        f"{place}" + (f": {energy:.2f} kcal/mol" if relaxed else "")
        for place, energy in enumerate(shown.energies, start=1)
    ]
    for place, sticks in enumerate(_sticks(shown)):
        # One entry of the legend hides a conformer from all panels.
        common = {"legendgroup": str(place), "name": names[place], "hoverinfo": "name"}
        marker = {"color": colours[place], "size": 8}
        line = {"color": colours[place], "width": 5}
        figure.add_trace(go.Scatter3d(**sticks, mode="lines", line=line, **common), row=1, col=1)
        flat = {"mode": "markers", "marker": marker, "showlegend": False, **common}
        if points is not None:
            figure.add_trace(go.Scatter(x=[points[place, 0]], y=[points[place, 1]], **flat), row=1, col=2)
        if relaxed:
            figure.add_trace(go.Scatter(x=[place + 1], y=[energies[place]], **flat), row=1, col=3)
    hidden = {"visible": False}
    figure.update_layout(
        template="plotly_white",
        margin={"l": 10, "r": 10, "t": 40, "b": 40},
        scene={"aspectmode": "data", "xaxis": hidden, "yaxis": hidden, "zaxis": hidden},
    )
    figure.update_xaxes(title=axes[0], row=1, col=2)
    figure.update_yaxes(title=axes[1], row=1, col=2)
    if relaxed:
        figure.update_xaxes(title="conformer", row=1, col=3)
        figure.update_yaxes(title="kcal/mol", row=1, col=3)
    found: dict[str, Any] = json.loads(figure.to_json())
    return found


def _map(shown: _Shown) -> tuple[Float[np.ndarray, "c 2"] | None, tuple[str, str]]:
    """Places of conformers on the map, and titles of its axes; no places where there are no codes."""
    try:
        codes = encode_conformers(with_positions(shown.mol, np.array(shown.positions)))
    except RowError as error:
        return None, (f"no codes: {error.reason}", "")
    return project(codes)


def _sticks(shown: _Shown) -> Iterator[dict[str, list[float | None]]]:
    """The bonds of each conformer as lines, hydrogens on carbon left out."""
    mol = with_positions(shown.mol, np.array(shown.positions))
    heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    rdMolAlign.AlignMolConformers(mol, atomIds=heavy)
    bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds() if not _is_plain(bond)
    ] or [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
    for conformer in mol.GetConformers():
        pos = conformer.GetPositions().round(3).tolist()
        yield {
            axis: [value for i, j in bonds for value in (pos[i][place], pos[j][place], None)]
            for place, axis in enumerate("xyz")
        }


def _is_plain(bond: Chem.Bond) -> bool:
    """Whether it is a bond of a hydrogen and a carbon."""
    return {bond.GetBeginAtom().GetAtomicNum(), bond.GetEndAtom().GetAtomicNum()} == {1, 6}


def _colours(values: Sequence[float] | np.ndarray) -> list[str]:
    """Colours of a scale, low values dark."""
    from plotly.colors import sample_colorscale

    least, most = float(np.min(values)), float(np.max(values))
    # The bright end of the scale is hard to see on white.
    shares = [0.85 * (float(value) - least) / ((most - least) or 1.0) for value in values]
    found: list[str] = sample_colorscale("Viridis", shares)
    return found


def _plotly() -> tuple[Any, str]:
    """Plotly's graph objects, and its script."""
    try:
        import plotly.graph_objects as go
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ConfigError('a report needs plotly: pip install "molae[explore]"') from error
    return go, get_plotlyjs()
