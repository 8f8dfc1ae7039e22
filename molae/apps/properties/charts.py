"""Small charts as SVG: they need no library, and every point tells what it is under the pointer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 12, 46


@dataclass(frozen=True)
class Point:
    """A point of a chart.

    Attributes:
        x: Where it is along the horizontal axis.
        y: Where it is along the vertical axis.
        text: What is shown under the pointer.
        low: Lower end of its error bar, or None without one.
        high: Upper end of its error bar, or None without one.
    """

    x: float
    y: float
    text: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self) -> list[float]:
        step = 10 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def chart(
    points: Sequence[Point],
    x_title: str,
    y_title: str,
    *,
    line: bool = False,
    diagonal: bool = False,
    from_zero: bool = False,
) -> str:
    """Draws points against two axes.

    Args:
        points: The points.
        x_title: Title of the horizontal axis.
        y_title: Title of the vertical axis.
        line: Whether to join the points.
        diagonal: Whether to draw y = x, with the same range on both axes.
        from_zero: Whether both axes begin at 0.
    Returns:
        An `svg` element; empty text without points.
    """
    if not points:
        return ""
    xs, ys = [point.x for point in points], [point.y for point in points]
    if diagonal:
        xs = ys = xs + ys
    x_axis = _axis(xs, from_zero, _LEFT, WIDTH - _RIGHT)
    y_axis = _axis(ys, from_zero, HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_title)}, {escape(x_title)}">'
    ]
    parts += _grid(x_axis, y_axis, x_title, y_title)
    if diagonal:
        ends = (x_axis.start, y_axis.start, x_axis.end, y_axis.end)
        parts.append('<line class="guide" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(*ends))
    if line:
        path = " ".join(f"{x_axis.place(p.x):.1f},{y_axis.place(p.y):.1f}" for p in points)
        parts.append(f'<polyline class="curve" points="{path}"/>')
    parts += [_mark(point, x_axis, y_axis) for point in points]
    return "".join([*parts, "</svg>"])


def _axis(values: Sequence[float], from_zero: bool, start: float, end: float) -> _Axis:
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or max(1.0, abs(high)) * 0.1
    return _Axis(0.0 if from_zero else low - margin, high + margin, start, end)


def _grid(x_axis: _Axis, y_axis: _Axis, x_title: str, y_title: str) -> list[str]:
    bottom, left = HEIGHT - _BOTTOM, _LEFT
    parts = []
    for value in x_axis.ticks():
        x = x_axis.place(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>')
    for value in y_axis.ticks():
        y = y_axis.place(value)
        parts.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    middle_x, middle_y = (left + WIDTH - _RIGHT) / 2, (_TOP + bottom) / 2
    parts.append(f'<text x="{middle_x}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>')
    turned = f'transform="rotate(-90 14 {middle_y})"'
    parts.append(f'<text x="14" y="{middle_y}" text-anchor="middle" {turned}>{escape(y_title)}</text>')
    return parts


def _mark(point: Point, x_axis: _Axis, y_axis: _Axis) -> str:
    x, y = x_axis.place(point.x), y_axis.place(point.y)
    bar = ""
    if point.low is not None and point.high is not None:
        low, high = y_axis.place(point.low), y_axis.place(point.high)
        bar = f'<line class="bar" x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}"/>'
    title = f"<title>{escape(point.text)}</title>" if point.text else ""
    return f'<g>{bar}<circle cx="{x:.1f}" cy="{y:.1f}" r="3">{title}</circle></g>'
