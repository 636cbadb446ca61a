"""The plots: price with fills, result, truth, bars, latency. Must never compute a figure.

Every time axis is the run in seconds from its start, so that all plots line up under one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from titan_cli.report import svg
from titan_cli.report.equity import equity_curve
from titan_cli.report.record import MidSample, RunRecord, TruthSample

WIDTH = 920
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 16, 26, 34
_NS = 1e9
_MAX_POINTS = 900
_MAX_GAP_NS = 600_000_000
_HISTOGRAM_EDGES_US = tuple(round(10 * 2 ** (step / 2)) for step in range(30))


def _thinned(points: Sequence[svg.Point]) -> Sequence[svg.Point]:
    stride = max(1, len(points) // _MAX_POINTS)
    return points if stride == 1 else [*points[::stride], points[-1]]


class _Canvas:
    """A plot area with a time axis below and a value axis at the left."""

    def __init__(self, record: RunRecord, height: int, domain: tuple[float, float]) -> None:
        self.record = record
        self.height = height
        self.floor = height - _BOTTOM
        self.x = svg.Scale(0.0, max(record.seconds, 1.0), _LEFT, WIDTH - _RIGHT)
        self.y = svg.Scale(domain[0], domain[1], self.floor, _TOP)
        self.parts: list[str] = []

    def axes(self, label: svg.Formatter) -> None:
        for value in svg.ticks(self.y.low, self.y.high, 5):
            at = self.y(value)
            self.parts.append(svg.rule((_LEFT, at), (WIDTH - _RIGHT, at), "grid"))
            self.parts.append(svg.text(_LEFT - 8, at + 4, label(value), anchor="end"))
        for second in svg.clock_ticks(self.x.high):
            self.parts.append(svg.text(self.x(second), self.floor + 18, svg.clock_text(second)))
        self.parts.append(svg.rule((_LEFT, self.floor), (WIDTH - _RIGHT, self.floor), "axis"))

    def second(self, at_ns: int) -> float:
        return (at_ns - self.record.started_ns) / _NS

    def point(self, at_ns: int, value: float) -> svg.Point:
        return self.x(self.second(at_ns)), self.y(value)

    def kills(self) -> None:
        for kill in self.record.kills:
            at, back = self.x(self.second(kill.at_ns)), self.x(self.second(kill.ready_again_ns))
            self.parts.append(
                svg.bar(
                    (at, _TOP), (max(back - at, 1.0), self.floor - _TOP), "down", "Execution down"
                )
            )
            self.parts.append(svg.rule((at, _TOP - 8), (at, self.floor), "kill"))
            self.parts.append(svg.text(at + 5, _TOP - 1, "kill -9", "kill-word", "start"))

    def drawn(self, label: str) -> str:
        return svg.frame(WIDTH, self.height, label, self.parts)


def price_of(record: RunRecord, half_ticks: int) -> Decimal:
    """Price of a sum of two prices in ticks."""
    return Decimal(half_ticks) * Decimal(record.grid.tick_size) / 2


def money(nanos: int, currency: str) -> str:
    """Money for people, two digits, signed."""
    return f"{Decimal(nanos) / Decimal(10**9):+,.2f} {currency}"


def price_plot(record: RunRecord) -> str:
    """Mid price with every fill on it."""
    mids = [float(price_of(record, sample.mid_half_ticks)) for sample in record.mids]
    fills = [float(price_of(record, 2 * fill.price_ticks)) for fill in record.fills]
    canvas = _Canvas(record, 320, svg.padded(mids + fills))
    canvas.axes(lambda value: f"{value:,.1f}")
    for line in _segments(canvas, list(zip(record.mids, mids, strict=True))):
        canvas.parts.append(svg.polyline(_thinned(line), "line line-mid"))
    for fill, price in zip(record.fills, fills, strict=True):
        word = "bought" if fill.buys else "sold"
        title = f"{word} {fill.qty_lots} lots at {price:,.1f}, fee {fill.fee_nanos / _NS:.4f}"
        css = "buy" if fill.buys else "sell"
        canvas.parts.append(
            svg.triangle(canvas.point(fill.at_ns, price), 4.2, fill.buys, css, title)
        )
    canvas.kills()
    return canvas.drawn(f"Mid price of {record.grid.symbol} with {len(fills)} fills")


def _segments(canvas: _Canvas, samples: Sequence[tuple[MidSample, float]]) -> list[list[svg.Point]]:
    """The line, cut where nobody could look."""
    lines: list[list[svg.Point]] = []
    last_ns = 0
    for sample, mid in samples:
        if not lines or sample.at_ns - last_ns > _MAX_GAP_NS:
            lines.append([])
        lines[-1].append(canvas.point(sample.at_ns, mid))
        last_ns = sample.at_ns
    return lines


def equity_plot(record: RunRecord) -> str:
    """Result over the run, before and after fees."""
    curve = equity_curve(record.mids, record.fills, record.grid.nanos_per_tick_lot)
    values = [amount / _NS for _, gross, net in curve for amount in (gross, net)]
    canvas = _Canvas(record, 240, svg.padded([*values, 0.0]))
    canvas.axes(lambda value: f"{value:+,.0f}" if abs(value) >= 10 else f"{value:+,.1f}")
    zero = canvas.y(0.0)
    net = [canvas.point(at, amount / _NS) for at, _, amount in curve]
    gross = [canvas.point(at, amount / _NS) for at, amount, _ in curve]
    canvas.parts.append(svg.area(_thinned(net), zero, "wash"))
    canvas.parts.append(svg.rule((_LEFT, zero), (WIDTH - _RIGHT, zero), "zero"))
    canvas.parts.append(svg.polyline(_thinned(gross), "line line-2"))
    canvas.parts.append(svg.polyline(_thinned(net), "line line-1"))
    canvas.kills()
    return canvas.drawn("Result before and after fees")


def truth_plot(record: RunRecord) -> str:
    """Truth score as steps, with the Brain's state below it."""
    canvas = _Canvas(record, 200, (0.0, 104.0))
    canvas.axes(lambda value: f"{value:.0f}")
    points: list[svg.Point] = []
    for sample in record.truth:
        x, y = canvas.point(sample.at_ns, float(sample.score))
        if points:
            points.append((x, points[-1][1]))
        points.append((x, y))
    if points:
        points.append((canvas.x(canvas.x.high), points[-1][1]))
    canvas.parts.extend(_state_band(canvas, record.truth))
    canvas.parts.append(svg.polyline(points, "line line-1"))
    canvas.kills()
    return canvas.drawn("Truth score and trading state")


def _state_band(canvas: _Canvas, samples: Sequence[TruthSample]) -> list[str]:
    parts: list[str] = []
    first = 0
    for index in range(1, len(samples) + 1):
        if index < len(samples) and samples[index].state == samples[first].state:
            continue
        start = canvas.x(canvas.second(samples[first].at_ns))
        last = index < len(samples)
        end = canvas.x(canvas.second(samples[index].at_ns) if last else canvas.x.high)
        state = samples[first].state
        css = f"state-{state.lower()}"
        parts.append(svg.bar((start, canvas.floor - 9), (end - start, 9), css, state))
        first = index
    return parts


def bars(rows: Sequence[tuple[str, int]], label: str, css: str = "bar") -> str:
    """Horizontal bars with their numbers."""
    if not rows:
        return '<p class="none">none</p>'
    step, left, width = 30, 250, 560
    height = step * len(rows) + 8
    top = max(value for _, value in rows) or 1
    parts: list[str] = []
    for index, (name, value) in enumerate(rows):
        y = 4 + index * step
        parts.append(svg.text(left - 10, y + 19, name, "bar-name", "end"))
        length = (width - left - 70) * value / top
        parts.append(svg.bar((left, y + 6), (length, step - 12), css, f"{name}: {value}"))
        parts.append(svg.text(left + length + 8, y + 19, f"{value:,}", "bar-value", "start"))
    return svg.frame(width, height, label, parts)


def percentile(values: Sequence[int], share: float) -> int:
    """Nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0


def latency_plot(values_us: Sequence[int], label: str) -> str:
    """Histogram over logarithmic bins."""
    if not values_us:
        return '<p class="none">nothing measured</p>'
    edges = [*_HISTOGRAM_EDGES_US, 10**12]
    counts = [0] * len(edges)
    for value in values_us:
        counts[next(index for index, edge in enumerate(edges) if value < edge)] += 1
    first = next(index for index, count in enumerate(counts) if count)
    last = max(index for index, count in enumerate(counts) if count)
    width, height, left, floor = 560, 210, 44, 176
    step = (width - left - 12) / (last - first + 1)
    top = max(counts)
    parts = [svg.rule((left, floor), (width - 12, floor), "axis")]
    for count in svg.ticks(0.0, float(top), 3):
        at = floor - (floor - 16) * count / top
        parts.append(svg.rule((left, at), (width - 12, at), "grid"))
        parts.append(svg.text(left - 6, at + 4, f"{count:.0f}", anchor="end"))
    every = max(1, (last - first + 1) // 7)
    for index in range(first, last + 1):
        x = left + (index - first) * step
        tall = (floor - 16) * counts[index] / top
        name = f"{counts[index]} below {_micros(edges[index])}"
        if counts[index]:
            parts.append(svg.bar((x + 1, floor - tall), (step - 2, tall), "bar", name))
        if (index - first) % every == 0 and index < last:
            parts.append(svg.text(x + step, floor + 18, _micros(edges[index])))
    return svg.frame(width, height, label, parts)


def _micros(value: int) -> str:
    if value >= 10**9:
        return "more"
    return f"{value} us" if value < 1000 else f"{value / 1000:.3g} ms"
