"""The book check: passes on real captures where they lie, fails on nothing and on lies."""

import gzip
import json
from pathlib import Path

import pytest
from titan_market import verify

DATA = Path(__file__).parents[4] / "shared" / "data" / "l2-binance-20240808"
NS = 1_723_161_255_030_314_667


def capture(path: Path, ticker_bid_lots: str = "0.014", ticker_id: int = 105) -> Path:
    messages = [
        {"lastUpdateId": 100, "bids": [["58710.00", "1"]], "asks": [["58712.00", "1.5"]]},
        {
            "stream": "btcusdt@depth@0ms",
            "data": {
                "e": "depthUpdate",
                "E": 1,
                "s": "BTCUSDT",
                "U": 95,
                "u": 105,
                "pu": 90,
                "b": [["58710.20", "0.014"]],
                "a": [],
            },
        },
        {
            "stream": "btcusdt@bookTicker",
            "data": {
                "e": "bookTicker",
                "u": ticker_id,
                "s": "BTCUSDT",
                "b": "58710.20",
                "B": ticker_bid_lots,
                "a": "58712.00",
                "A": "1.500",
                "E": 1,
            },
        },
    ]
    path.write_bytes(gzip.compress(b"".join(f"{NS} {json.dumps(m)}\n".encode() for m in messages)))
    return path


def test_agreement_passes(tmp_path, capsys):
    capture(tmp_path / "c.gz")
    assert verify.main(["--data", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (answer["passed"], answer["compared"], answer["agreed"]) == (True, 1, 1)


def test_one_lot_of_difference_fails(tmp_path, capsys):
    capture(tmp_path / "c.gz", ticker_bid_lots="0.015")
    assert verify.main(["--data", str(tmp_path)]) == 1
    assert "BOOK_DISAGREES" in capsys.readouterr().out


def test_nothing_compared_fails(tmp_path, capsys):
    assert verify.main(["--data", str(tmp_path)]) == 1
    capture(tmp_path / "c.gz", ticker_id=104)
    assert verify.main(["--data", str(tmp_path)]) == 1
    assert "NOTHING_COMPARED" in capsys.readouterr().out


def test_unknown_market_and_missing_directory(tmp_path, capsys):
    path = capture(tmp_path / "c.gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"BTCUSDT", b"ABC")))
    assert verify.main(["--data", str(tmp_path)]) == 1
    assert "INSTRUMENT_UNKNOWN" in capsys.readouterr().out
    assert verify.main(["--data", str(tmp_path / "none")]) == 2


@pytest.mark.skipif(not DATA.is_dir(), reason="recorded captures are not on this machine")
@pytest.mark.parametrize("market", ["usdm", "spot", "cm"])
def test_recorded_books_agree_with_every_ticker(market):
    verdicts = verify.verify_directory(DATA / market, None)
    assert verdicts
    for verdict in verdicts:
        assert verdict.passed, verdict
        assert verdict.compared > 500
        assert verdict.trades > 1_000
