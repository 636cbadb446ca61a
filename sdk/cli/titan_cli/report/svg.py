"""Scales, ticks and marks of a plot as SVG text. Must never know what is plotted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
Formatter = Callable[[float], str]

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_CLOCK_STEPS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps a domain to pixels, linearly."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Domain around values with air above and below; never empty."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = (high - low) * share or max(abs(high) * 0.01, 1.0)
    return low - air, high + air


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round positions inside a domain."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    raw = span / max(wanted, 1)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(step * unit for step in _STEPS if step * unit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def clock_ticks(high: float, wanted: int = 6) -> list[float]:
    """Round positions of a time axis that starts at 0, in seconds."""
    step = next((s for s in _CLOCK_STEPS if high / s <= wanted), _CLOCK_STEPS[-1])
    return [index * step for index in range(int(high / step) + 1)]


def clock_text(seconds: float) -> str:
    """Seconds as m:ss."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def polyline(points: Sequence[Point], css: str) -> str:
    """An open line."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{css}" points="{path}"/>'


def area(points: Sequence[Point], base: float, css: str) -> str:
    """The surface between a line and a level."""
    if not points:
        return ""
    body = " ".join(f"L{x:.1f} {y:.1f}" for x, y in points)
    start, end = points[0][0], points[-1][0]
    return f'<path class="{css}" d="M{start:.1f} {base:.1f} {body} L{end:.1f} {base:.1f} Z"/>'


def triangle(at: Point, size: float, up: bool, css: str, title: str) -> str:
    """A mark that points up or down, with a tooltip."""
    x, y = at
    tip = y - size if up else y + size
    foot = y + size * 0.7 if up else y - size * 0.7
    return (
        f'<path class="{css}" d="M{x:.1f} {tip:.1f} L{x - size:.1f} {foot:.1f} '
        f'L{x + size:.1f} {foot:.1f} Z"><title>{escape(title)}</title></path>'
    )


def bar(corner: Point, size: Point, css: str, title: str) -> str:
    """A bar with a tooltip."""
    (x, y), (width, height) = corner, size
    return (
        f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
        f'height="{max(height, 0.5):.1f}" rx="2"><title>{escape(title)}</title></rect>'
    )


def text(x: float, y: float, words: str, css: str = "tick", anchor: str = "middle") -> str:
    """A label."""
    return (
        f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def rule(start: Point, end: Point, css: str) -> str:
    """A straight line."""
    return (
        f'<line class="{css}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" '
        f'x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'
    )


def frame(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    """The drawing, named for readers who do not see it."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )
