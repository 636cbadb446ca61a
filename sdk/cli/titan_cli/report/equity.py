"""Result over time from fills and mids, in whole nanos. Must never round or use a float."""

from __future__ import annotations

from collections.abc import Sequence

from titan_cli.report.record import FillMark, MidSample


def equity_curve(
    mids: Sequence[MidSample], fills: Sequence[FillMark], nanos_per_tick_lot: int
) -> list[tuple[int, int, int]]:
    """(at_ns, gross, net) in nanos at each sample: cash of all fills plus position at mid."""
    curve: list[tuple[int, int, int]] = []
    ordered = sorted(fills, key=lambda fill: fill.at_ns)
    cash = fees = lots = taken = 0
    for sample in mids:
        while taken < len(ordered) and ordered[taken].at_ns <= sample.at_ns:
            fill = ordered[taken]
            signed = fill.qty_lots if fill.buys else -fill.qty_lots
            cash -= signed * fill.price_ticks * nanos_per_tick_lot
            lots += signed
            fees += fill.fee_nanos
            taken += 1
        gross = cash + lots * sample.mid_half_ticks * nanos_per_tick_lot // 2
        curve.append((sample.at_ns, gross, gross - fees))
    return curve
