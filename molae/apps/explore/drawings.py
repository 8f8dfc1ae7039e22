"""Drawings of many molecules in little space."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Sequence

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

WIDTH, HEIGHT = 300, 220
VIEW_BOX = f"0 0 {2 * WIDTH} {2 * HEIGHT}"

GROUP = 100
"""Drawings that are packed together: they have much in common, and a page unpacks a group at once."""

_TAG = re.compile(r"<(path|text) ([^>]*?)/?>(?:([^<]*)</text>)?")
_ATTRIBUTE = re.compile(r"([\w-]+)='([^']*)'")
_STYLE = re.compile(r"([\w-]+):([^;]+)")
_NUMBER = re.compile(r"-?\d+\.\d+")


def draw_compact(mol: Chem.Mol) -> str:
    """Draws a molecule as RDKit does, without all that is the same in every drawing.

    Args:
        mol: The molecule.
    Returns:
        The content of an `svg` element with a view box of `VIEW_BOX` (positions are whole numbers of half
        pixels) that strokes in black, 4 wide, without filling; text is filled in black, not stroked.
    """
    # Labels as text rather than outlines of letters.
    drawing = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT, -1, -1, True)
    drawing.drawOptions().clearBackground = False  # type: ignore[assignment]  # RDKit's stub is wrong
    rdMolDraw2D.PrepareAndDrawMolecule(drawing, mol)
    drawing.FinishDrawing()
    parts: list[str] = []
    last = ""
    for kind, attributes, text in _TAG.findall(drawing.GetDrawingText()):
        given = dict(_ATTRIBUTE.findall(attributes))
        style = dict(_STYLE.findall(given.get("style", "")))
        opening = "" if kind == "text" else _opening(style)
        if kind == "text":
            parts.append(_label(given, style, text))
        elif opening == last:
            # Lines that look the same are one element.
            parts[-1] = parts[-1].removesuffix('"/>') + _halves(given["d"]) + '"/>'
        else:
            parts.append(f'{opening} d="{_halves(given["d"])}"/>')
        last = opening
    return "".join(parts)


def pack_texts(texts: Sequence[str]) -> list[str]:
    """Packs texts without line ends, `GROUP` at a time.

    Args:
        texts: The texts.
    Returns:
        For each group its texts, joined by line ends, as deflate in base64: what a browser's
        `DecompressionStream("deflate")` takes.
    """
    groups = (texts[start : start + GROUP] for start in range(0, len(texts), GROUP))
    return [base64.b64encode(zlib.compress("\n".join(group).encode(), 9)).decode() for group in groups]


def _opening(style: dict[str, str]) -> str:
    told = ""
    if style.get("fill", "none") != "none":
        told += f' fill="{style["fill"]}"'
    if style.get("stroke", "none") not in ("none", "#000000"):
        told += f' stroke="{style["stroke"]}"'
    width = style.get("stroke-width", "2.0px").removesuffix("px")
    if float(width) != 2.0:
        told += f' stroke-width="{2 * float(width):g}"'
    if "stroke-dasharray" in style:
        told += ' stroke-dasharray="4"'
    return f"<path{told}"


def _label(given: dict[str, str], style: dict[str, str], text: str) -> str:
    size = 2 * float(style["font-size"].removesuffix("px"))
    colour = "" if style["fill"] == "#000000" else f' fill="{style["fill"]}"'
    x, y = _halves(given["x"]), _halves(given["y"])
    return f'<text x="{x}" y="{y}" font-size="{size:g}"{colour}>{text}</text>'


def _halves(path: str) -> str:
    """Numbers in halves of a pixel, and no blanks that SVG can do without."""
    rounded = _NUMBER.sub(lambda found: str(round(2 * float(found[0]))), path)
    return re.sub(r"\s*([MLQCZ,])\s*", r"\1", rounded)
