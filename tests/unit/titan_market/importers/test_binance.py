"""Raw Binance captures: what is read, and the coded answer to what is damaged."""

import gzip
import json
from pathlib import Path

import pytest
from titan_book import SequenceRule
from titan_market.events import BookTicker, DepthDiff, Snapshot, TradePrint
from titan_market.importers.binance import BinanceCapture, is_capture, read_head
from titan_market.importers.grid import Grid
from titan_mesh.errors import TitanError

NS = 1_723_161_255_030_314_667
DIFF = {
    "stream": "btcusdt@depth@0ms",
    "data": {
        "e": "depthUpdate",
        "E": 1_723_161_256_299,
        "T": 1,
        "s": "BTCUSDT",
        "U": 95,
        "u": 105,
        "pu": 94,
        "b": [["58710.20", "0.014"], ["58710.10", "0.000"]],
        "a": [["58711.00", "2"]],
    },
}
SNAPSHOT = {
    "lastUpdateId": 100,
    "E": 1_723_161_256_501,
    "T": 2,
    "bids": [["58710.00", "1.000"]],
    "asks": [["58712.00", "1.500"]],
}
TICKER = {
    "stream": "btcusdt@bookTicker",
    "data": {
        "e": "bookTicker",
        "u": 105,
        "s": "BTCUSDT",
        "b": "58710.20",
        "B": "0.014",
        "a": "58711.00",
        "A": "2.000",
        "T": 1,
        "E": 1_723_161_256_300,
    },
}
TRADE = {
    "stream": "btcusdt@trade",
    "data": {
        "e": "trade",
        "E": 1_723_161_256_322,
        "T": 1,
        "s": "BTCUSDT",
        "t": 7,
        "p": "58711.00",
        "q": "0.006",
        "X": "MARKET",
        "m": True,
    },
}
GRID = Grid("0.10", "0.001")


def line(message: dict, at: int = 0) -> bytes:
    return f"{NS + at} {json.dumps(message)}\n".encode()


def write(tmp_path: Path, *lines: bytes, name: str = "capture.gz") -> Path:
    path = tmp_path / name
    data = b"".join(lines)
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    return path


def read(path: Path) -> list:
    return list(BinanceCapture(read_head(path), GRID))


@pytest.mark.parametrize("name", ["capture.gz", "capture.txt"])
def test_every_kind_of_line_becomes_its_event(tmp_path, name):
    path = write(tmp_path, *(line(m) for m in (DIFF, TICKER, SNAPSHOT, TRADE)), name=name)
    head = read_head(path)
    assert (head.data_symbol, head.rule) == ("binance-usdm:BTCUSDT", SequenceRule.BINANCE_USDM)
    assert is_capture(path)
    diff, ticker, snapshot, trade = read(path)
    venue_ns = 1_723_161_256_299_000_000
    assert diff == DepthDiff(
        "BTCUSDT", NS, venue_ns, 95, 105, 94, [(587_102, 14), (587_101, 0)], [(587_110, 2_000)]
    )
    assert isinstance(ticker, BookTicker)
    assert (ticker.bid, ticker.ask) == ((587_102, 14), (587_110, 2_000))
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.update_id, snapshot.asks) == (100, [(587_120, 1_500)])
    assert isinstance(trade, TradePrint)
    assert (trade.trade_id, trade.price_ticks, trade.qty_lots, trade.seller_is_taker) == (
        7,
        587_110,
        6,
        True,
    )


def test_markets_are_told_apart(tmp_path):
    spot = {k: v for k, v in DIFF["data"].items() if k not in ("pu", "T")}
    coin = DIFF["data"] | {"ps": "BTCUSD", "s": "BTCUSD_PERP"}
    for data, name in ((spot, "binance-spot:BTCUSDT"), (coin, "binance-coinm:BTCUSD_PERP")):
        assert read_head(write(tmp_path, line({"data": data}))).data_symbol == name


def test_spot_ticker_is_named_by_its_stream_only(tmp_path):
    ticker = {
        "stream": "btcusdt@bookTicker",
        "data": {k: v for k, v in TICKER["data"].items() if k not in ("e", "E", "T")},
    }
    _, event = read(write(tmp_path, line(DIFF), line(ticker)))
    assert isinstance(event, BookTicker)


def test_other_streams_are_counted_not_guessed(tmp_path):
    other = {"stream": "btcusdt@markPrice", "data": {"e": "markPriceUpdate", "s": "BTCUSDT"}}
    fund = {"stream": "s", "data": TRADE["data"] | {"X": "INSURANCE_FUND", "p": "0"}}
    path = write(tmp_path, line(DIFF), line(other), line(fund))
    capture = BinanceCapture(read_head(path), GRID)
    assert len(list(capture)) == 1
    assert capture.counts.skipped == {"markPriceUpdate": 1, "trade INSURANCE_FUND": 1}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (line(DIFF)[:-40], "CAPTURE_TRUNCATED"),
        (b"17231612 {}\n", "CAPTURE_STAMP"),
        (b"x\n", "CAPTURE_STAMP"),
        (f'{NS} {{"a\n'.encode(), "CAPTURE_JSON"),
        (f"{NS} [1]\n".encode(), "CAPTURE_JSON"),
        (line({"data": {"e": "depthUpdate", "s": "BTCUSDT"}}), "CAPTURE_FIELD"),
        (line({"data": TRADE["data"] | {"s": "ETHUSDT"}}), "CAPTURE_FIELD"),
        (line({"data": TRADE["data"] | {"p": "58711.05"}}), "OFF_TICK"),
        (line({"data": TRADE["data"] | {"p": "5.8e4"}}), "DECIMAL_INVALID"),
        (line({"data": TRADE["data"] | {"p": "-1"}}), "DECIMAL_INVALID"),
    ],
)
def test_damage_is_a_coded_error_that_names_the_line(tmp_path, bad, code):
    path = write(tmp_path, line(DIFF), bad)
    with pytest.raises(TitanError) as fault:
        read(path)
    assert fault.value.code == code
    assert "capture.gz line 2" in fault.value.message


def test_an_archive_that_ends_early(tmp_path):
    path = write(tmp_path, *(line(DIFF, n) for n in range(2_000)))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(TitanError) as fault:
        read(path)
    assert fault.value.code == "CAPTURE_TRUNCATED"


def test_a_file_that_tells_nothing(tmp_path):
    with pytest.raises(TitanError) as fault:
        read_head(write(tmp_path, line(TRADE)))
    assert fault.value.code == "CAPTURE_UNKNOWN"
    assert not is_capture(write(tmp_path, b"hello", name="notes.txt"))


def test_a_few_sizes_off_the_lot_are_rounded_down_many_are_refused(tmp_path):
    odd = {"data": DIFF["data"] | {"b": [["58710.20", "1.0005"], ["58710.10", "0.0004"]], "a": []}}
    path = write(tmp_path, line(odd))
    capture = BinanceCapture(read_head(path), GRID)
    (event,) = capture
    assert event.bids == [(587_102, 1_000), (587_101, 1)]
    assert capture.counts.off_lot == 2
    with pytest.raises(TitanError) as fault:
        read(write(tmp_path, *(line(odd, n) for n in range(9))))
    assert fault.value.code == "OFF_LOT"


@pytest.mark.parametrize(("tick", "lot"), [("0", "1"), ("1e-3", "1"), ("0.1", ""), ("0.1", "-1")])
def test_a_grid_needs_plain_positive_steps(tick, lot):
    with pytest.raises(TitanError) as fault:
        Grid(tick, lot)
    assert fault.value.code == "DECIMAL_INVALID"
