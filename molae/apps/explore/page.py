"""The map as one page of HTML that needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from molae.apps.explore.colours import MISSING, OTHERS, Colours
from molae.apps.explore.drawings import GROUP, VIEW_BOX, pack_texts
from molae.errors import ConfigError

# Beyond so many points, a browser draws them faster by WebGL, which not every one has.
_MANY = 2_000

_PLAIN, _GREY = "#2b62c4", "#b4bac4"


@dataclass(frozen=True)
class Page:
    """What a map shows.

    Attributes:
        title: Its title.
        facts: What the reader should know of it.
        points: Where the molecules are.
        axes: Titles of the axes.
        drawings: For each molecule, its drawing (see `molae.apps.explore.drawings.draw_compact`) or nothing.
        smiles: For each, its SMILES or nothing.
        canonical: For each, its canonical SMILES or nothing.
        names: For each, its name or nothing.
        about: What is told of each molecule, by title.
        colours: What colours them, or None.
    """

    title: str
    facts: str
    points: Float[np.ndarray, "n 2"]
    axes: tuple[str, str]
    drawings: Sequence[str]
    smiles: Sequence[str]
    canonical: Sequence[str]
    names: Sequence[str]
    about: Mapping[str, Sequence[str]]
    colours: Colours | None


def render(page: Page) -> str:
    """Writes a map as a document.

    Args:
        page: What it shows.
    Returns:
        A whole HTML document, with the script of plotly inside.
    Raises:
        ConfigError: If plotly is not installed.
    """
    parts = _parts(page)
    figure = _figure(page, parts)
    searched = zip(page.smiles, page.canonical, page.names, strict=True)
    told = zip(*page.about.values(), strict=True)
    data = {
        "group": GROUP,
        "mark": len(parts),
        "x": [_short(value) for value in page.points[:, 0]],
        "y": [_short(value) for value in page.points[:, 1]],
        "places": [part.places.tolist() for part in parts],
        "names": list(page.about),
        "drawings": pack_texts(page.drawings),
        "texts": pack_texts(["\t".join(map(_one_line, each)) for each in searched]),
        "about": pack_texts([json.dumps(each) for each in told]),
    }
    # Nothing in a script may look like its end.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    filled = {
        "title": escape(page.title),
        "facts": escape(page.facts),
        "view_box": VIEW_BOX,
        "figure": figure,
        "data": text,
    }
    document = files("molae.apps.explore").joinpath("map.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], document)


@dataclass(frozen=True)
class _Part:
    """Points that look alike."""

    name: str
    places: Int[np.ndarray, " m"]
    marker: dict[str, Any]


def _parts(page: Page) -> list[_Part]:
    colours, everyone = page.colours, np.arange(len(page.points))
    if colours is None:
        return [_Part("molecules", everyone, {"color": _PLAIN})]
    if colours.numbers is None:
        groups = np.array(colours.groups)
        grey = {MISSING: {"color": _GREY}, OTHERS: {"color": "#7b8494"}}
        return [_Part(name, np.flatnonzero(groups == name), grey.get(name, {})) for name in colours.legend]
    known = np.flatnonzero(~np.isnan(colours.numbers))
    missing = np.flatnonzero(np.isnan(colours.numbers))
    scale = {
        "color": colours.numbers[known].astype(np.float32),
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": escape(colours.name)}},
    }
    parts = [_Part(MISSING, missing, {"color": _GREY})] if len(missing) else []
    return [*parts, _Part(colours.name, known, scale)]


def _figure(page: Page, parts: Sequence[_Part]) -> str:
    try:
        import plotly.graph_objects as go
        from plotly.io import to_html
    except ImportError as error:
        raise ConfigError('a map needs plotly: pip install "molae[explore]"') from error
    trace = go.Scattergl if len(page.points) > _MANY else go.Scatter
    size = 7 if len(page.points) <= _MANY else 5
    figure = go.Figure()
    points = page.points.astype(np.float32)
    for part in parts:
        figure.add_trace(
            trace(
                x=points[part.places, 0],
                y=points[part.places, 1],
                customdata=part.places.astype(np.int32),
                mode="markers",
                name=escape(part.name),
                marker={"size": size, "opacity": 0.75, **part.marker},
                selected={"marker": {"opacity": 1, "size": size + 3}},
                unselected={"marker": {"opacity": 0.08}},
                hoverinfo="none",
            )
        )
    mark = {"size": size + 9, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": "#d4541c"}}
    figure.add_trace(trace(x=[], y=[], mode="markers", marker=mark, hoverinfo="none", showlegend=False))
    figure.update_layout(
        template="plotly_white",
        xaxis_title=page.axes[0],
        yaxis_title=page.axes[1],
        legend_title=escape(page.colours.name) if page.colours else None,
        showlegend=page.colours is not None and page.colours.numbers is None,
        hovermode="closest",
        margin={"l": 50, "r": 20, "t": 20, "b": 50},
    )
    return to_html(
        figure,
        config={"scrollZoom": True, "displaylogo": False, "responsive": True},
        include_plotlyjs=True,
        full_html=False,
        div_id="map",
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
