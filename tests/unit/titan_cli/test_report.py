"""The report from synthetic data: self-contained, complete, arithmetic of the curve exact."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from titan_cli.report import page, svg
from titan_cli.report.equity import equity_curve
from titan_cli.report.record import (
    Condition,
    FillMark,
    InstrumentGrid,
    KillMark,
    MidSample,
    RunRecord,
    TruthSample,
    UnansweredIntent,
)

START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
GRID = InstrumentGrid("BTCUSDT", "0.10", "0.001", 100_000, "USDT")


@pytest.fixture
def record() -> RunRecord:
    return RunRecord(
        title="Titan demo",
        market="synthetic <market>",
        seed=7,
        started_ns=START_NS,
        seconds=20.0,
        market_seconds=600,
        policy_hash="ab" * 32,
        grid=GRID,
        funnel=(("signals", 12), ("confirmed", 9), ("filled", 5)),
        rejects=(("PRICE_COLLAR", 3),),
        conditions=(Condition("lost", "0", "0", True), Condition("kills", ">= 1", "1", True)),
        net_pnl_nanos=-1_234_567_890,
        fee_nanos=234_000_000,
        truth_score=97,
        mids=tuple(MidSample(START_NS + i * SECOND, 1_200_000 + i) for i in range(20)),
        fills=(FillMark(START_NS + 3 * SECOND, "BTCUSDT", True, 600_001, 5, 150_000_000),),
        truth=(TruthSample(START_NS, 0, "DEFENSIVE"), TruthSample(START_NS + SECOND, 97, "NORMAL")),
        kills=(
            KillMark(
                START_NS + 10 * SECOND,
                START_NS + 11 * SECOND,
                1,
                2,
                (UnansweredIntent("T1abc", 77, True, "FILLED", 640),),
            ),
        ),
        confirm_latency_us=(120, 250, 300),
        venue_latency_us=(8_000,),
        explained="intent 0192 <x>",
        assumptions=(("fees", "2 bps"),),
    )


def test_page_fetches_nothing_and_says_everything(record: RunRecord) -> None:
    html = page.render(record)
    assert not re.search(r"(src|href)=|url\(|@import|https?://|<script", html)
    for words in (
        "all conditions hold",
        "T1abc",
        "-1.23 USDT",
        "PRICE_COLLAR",
        "kill -9",
        "640 ms",
    ):
        assert words in html
    assert "synthetic &lt;market&gt;" in html
    assert "intent 0192 &lt;x&gt;" in html


def test_every_drawing_is_well_formed(record: RunRecord) -> None:
    drawings = re.findall(r"<svg.*?</svg>", page.render(record), re.S)
    assert len(drawings) == 7
    for drawing in drawings:
        assert "nan" not in drawing
        assert ElementTree.fromstring(drawing).get("aria-label")


def test_one_failed_condition_fails_the_page(record: RunRecord) -> None:
    failed = replace(record, conditions=(*record.conditions, Condition("fills", "50", "5", False)))
    assert not failed.passed
    assert "a condition failed" in page.render(failed)
    assert not replace(record, conditions=()).passed


def test_an_empty_run_still_renders(record: RunRecord) -> None:
    empty = replace(
        record, mids=(), fills=(), truth=(), kills=(), confirm_latency_us=(), venue_latency_us=(),
        rejects=(), funnel=(), explained="", assumptions=(),
    )  # fmt: skip
    assert "nothing measured" in page.render(empty)


def test_equity_is_cash_plus_position_at_mid_minus_fees() -> None:
    mids = [MidSample(10, 2_000), MidSample(20, 2_010), MidSample(30, 1_990)]
    fills = [FillMark(15, "X", True, 1_001, 3, 7), FillMark(25, "X", False, 1_000, 1, 2)]
    assert equity_curve(mids, fills, 100) == [
        (10, 0, 0),
        (20, 3 * (1_005 - 1_001) * 100, 3 * 4 * 100 - 7),
        (30, (-3 * 1_001 + 1_000 + 2 * 995) * 100, (-3 * 1_001 + 1_000 + 2 * 995) * 100 - 9),
    ]


def test_ticks_are_round_and_inside() -> None:
    assert svg.ticks(0.3, 9.7, 5) == [2.0, 4.0, 6.0, 8.0]
    assert svg.ticks(5.0, 5.0) == [5.0]
    assert svg.clock_ticks(25.0) == [0, 5, 10, 15, 20, 25]
    assert svg.clock_text(65.4) == "1:05"
