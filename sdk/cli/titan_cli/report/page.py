"""The page: tiles, plots, kills, one order explained. Must never show what was not recorded."""

from __future__ import annotations

from html import escape
from pathlib import Path

from titan_cli.report import plots
from titan_cli.report.record import KillMark, RunRecord
from titan_cli.report.style import CSS


def render(record: RunRecord) -> str:
    """The whole report as one HTML document."""
    body = "\n".join(
        (
            _header(record),
            _tiles(record),
            _conditions(record),
            _market(record),
            _flow(record),
            _kills(record),
            _latency(record),
            _explained(record),
            _assumptions(record),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(record.title)}</title><style>{CSS}</style></head>"
        f"<body><main>{body}<footer>Written by <code>titan demo</code>. Self-contained: nothing is "
        "fetched.</footer></main></body></html>\n"
    )


def write(record: RunRecord, path: Path) -> None:
    """Writes the report; a half-written one is never seen under its name."""
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(render(record), encoding="utf-8")
    partial.replace(path)


def _header(record: RunRecord) -> str:
    badge = ("pass", "all conditions hold") if record.passed else ("fail", "a condition failed")
    minutes = record.market_seconds / 60
    return (
        f'<header><h1>{escape(record.title)}</h1><span class="badge {badge[0]}">{badge[1]}</span>'
        f'</header><p class="sub">{escape(record.market)}, {minutes:.0f} minutes of market time in '
        f"{record.seconds:.1f} s, policy <code>{record.policy_hash[:16]}</code></p>"
    )


def _tile(value: str, words: str, css: str = "") -> str:
    return f'<div class="tile {css}"><b>{escape(value)}</b><span>{escape(words)}</span></div>'


def _tiles(record: RunRecord) -> str:
    counts = dict(record.funnel)
    measured = {condition.name: condition for condition in record.conditions}
    tiles: list[str] = []
    for name in ("lost", "duplicates"):
        if name in measured:
            condition = measured[name]
            words = f"{name}, by the venue's log"
            tiles.append(_tile(condition.measured, words, "good" if condition.holds else "bad"))
    for name in ("confirmed", "filled"):
        tiles.append(_tile(f"{counts.get(name, 0):,}", f"intents {name}"))
    tiles.append(_tile(f"{len(record.fills):,}", "fills"))
    tiles.append(_tile(str(record.truth_score), "truth score of 100"))
    net = plots.money(record.net_pnl_nanos, record.grid.currency)
    fees = plots.money(record.fee_nanos, record.grid.currency).lstrip("+")
    tiles.append(_tile(net, f"net result, {fees} fees taken off"))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _conditions(record: RunRecord) -> str:
    rows = "".join(
        f'<tr><td class="{"yes" if c.holds else "no"}">{"holds" if c.holds else "fails"}</td>'
        f"<td>{escape(c.name)}</td><td>{escape(c.wanted)}</td>"
        f'<td class="num">{escape(c.measured)}</td></tr>'
        for c in record.conditions
    )
    return (
        "<section><h2>What was promised, what was measured</h2>"
        "<table><tr><th></th><th>condition</th><th>wanted</th><th>measured</th></tr>"
        f"{rows}</table></section>"
    )


def _legend(*entries: tuple[str, str]) -> str:
    items = "".join(
        f'<span><i style="background:var(--{color})"></i>{escape(words)}</span>'
        for color, words in entries
    )
    return f'<p class="legend">{items}</p>'


def _market(record: RunRecord) -> str:
    return (
        f"<section><h2>{escape(record.grid.symbol)}: price and fills</h2>"
        + _legend(("mid", "mid price"), ("buy", "bought (up)"), ("sell", "sold (down)"))
        + plots.price_plot(record)
        + "</section><section><h2>Result</h2>"
        + _legend(("one", "after fees"), ("two", "before fees"))
        + plots.equity_plot(record)
        + "</section><section><h2>Truth score</h2>"
        + _legend(("one", "score"), ("good", "NORMAL"), ("warm", "DEFENSIVE"), ("bad", "HALTED"))
        + plots.truth_plot(record)
        + '<p class="note">Time axes: minutes and seconds of the run. The band shows the state '
        "that the Brain demanded.</p></section>"
    )


def _flow(record: RunRecord) -> str:
    return (
        '<div class="pair"><section><h2>From signal to fill</h2><p class="note">intents that got '
        f"this far</p>{plots.bars(record.funnel, 'Funnel from signal to fill')}</section>"
        '<section><h2>Refusals</h2><p class="note">by the reason the gate or the venue gave</p>'
        f"{plots.bars(record.rejects, 'Refusals by reason', 'bar-reject')}</section></div>"
    )


def _kill_rows(kill: KillMark) -> str:
    return "".join(
        f"<tr><td><code>{escape(intent.client_order_id)}</code></td>"
        f'<td class="num">{intent.confirmed_lsn}</td>'
        f"<td>{'yes' if intent.in_venue_log else 'no'}</td><td>{escape(intent.outcome)}</td>"
        f'<td class="num">{intent.resolved_after_ms} ms</td></tr>'
        for intent in kill.unanswered
    )


def _kills(record: RunRecord) -> str:
    parts: list[str] = []
    for number, kill in enumerate(record.kills, 1):
        second = (kill.at_ns - record.started_ns) / 1e9
        down_ms = (kill.ready_again_ns - kill.at_ns) / 1e6
        parts.append(
            f"<section><h2>Kill {number}: Execution at {second:.1f} s</h2>"
            f'<p class="note">SIGKILL, ready again after {down_ms:,.0f} ms, epoch '
            f"{kill.epoch_before} to {kill.epoch_after}. Accepted and unanswered at that instant: "
            f"{len(kill.unanswered)}.</p>"
            '<div class="wide"><table><tr><th>client_order_id</th><th>LSN</th><th>in venue log</th>'
            f"<th>ended as</th><th>after</th></tr>{_kill_rows(kill)}</table></div></section>"
        )
    return "".join(parts)


def _latency(record: RunRecord) -> str:
    cells: list[str] = []
    for title, note, values in (
        ("PREPARE to durable CONFIRM", "client round trip included", record.confirm_latency_us),
        ("CONFIRM to venue answer", "simulated venue delay included", record.venue_latency_us),
    ):
        p50, p99 = plots.percentile(values, 0.5), plots.percentile(values, 0.99)
        cells.append(
            f'<section><h2>{title}</h2><p class="note">{note}; p50 {p50:,} us, p99 {p99:,} us, '
            f"n = {len(values):,}</p>{plots.latency_plot(values, title)}</section>"
        )
    return f'<div class="pair">{"".join(cells)}</div>'


def _explained(record: RunRecord) -> str:
    if not record.explained:
        return ""
    return (
        '<section><h2>One order explained</h2><p class="note"><code>titan why</code>, from the '
        f"Brain's database alone</p><pre>{escape(record.explained)}</pre></section>"
    )


def _assumptions(record: RunRecord) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in record.assumptions
    )
    return f"<section><h2>Assumptions</h2><table>{rows}</table></section>" if rows else ""
