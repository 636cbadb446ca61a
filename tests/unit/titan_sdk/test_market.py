"""Bars by recorded time."""

from titan_sdk.market import BarBuilder, Trade

_S = 1_000_000_000


def trade(at_s: float, price: int, lots: int, seller: bool = False) -> Trade:
    return Trade("BTCUSDT", int(at_s * _S), 0, price, lots, seller)


def test_a_bar_closes_when_time_passes_its_end() -> None:
    builder = BarBuilder("BTCUSDT", 10 * _S)
    assert builder.on_time(5 * _S) is None
    for item in (trade(12, 100, 1), trade(13, 104, 2, True), trade(19.9, 99, 3)):
        assert builder.on_trade(item) is None
    assert builder.on_time(int(19.95 * _S)) is None
    bar = builder.on_time(20 * _S)
    assert bar is not None
    assert (bar.start_ns, bar.open_ticks, bar.high_ticks, bar.low_ticks) == (10 * _S, 100, 104, 99)
    assert (bar.close_ticks, bar.volume_lots, bar.signed_lots, bar.trades) == (99, 6, 2, 3)
    assert builder.on_time(40 * _S) is None  # an empty interval makes no bar


def test_the_trade_that_closes_a_bar_opens_the_next() -> None:
    builder = BarBuilder("BTCUSDT", 10 * _S)
    builder.on_trade(trade(1, 100, 1))
    closed = builder.on_trade(trade(31, 200, 1))
    assert closed is not None
    assert closed.close_ticks == 100
    following = builder.on_time(40 * _S)
    assert following is not None
    assert (following.start_ns, following.open_ticks) == (30 * _S, 200)
