"""The venue and the feed as processes: start, trade, kill -9, restart from the log, stop."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import pytest
from titan_market.venue.orderlog import read_entries
from unit.titan_market.venue.client import Client
from unit.titan_market.venue.rig import BUY, IOC

INSTRUMENTS = Path(__file__).parents[4] / "compose" / "instruments"
BOOK = {
    "symbol": "BTCUSDT",
    "book_snapshot": {
        "update_id": 100,
        "bid_price_ticks": [600_000],
        "bid_qty_lots": [500],
        "ask_price_ticks": [600_001],
        "ask_qty_lots": [400],
    },
}
TOML = """
[mesh]
account = "main"
venue = "paper"
policy = "policy/risk_policy.json"
instruments = "{instruments}"

[venue]
socket = "run/venue.sock"
order_log = "venue/orders.log"
ack_delay_us = 0
jitter_us = 0
seed = 7
sync = false
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "titan.toml").write_text(TOML.format(instruments=INSTRUMENTS))
    return tmp_path


@contextlib.asynccontextmanager
async def process(module: str, *arguments: str):
    """A process that is ended with the block."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def ready(running) -> str:
    """The line that a process logs once it serves."""
    while line := (await asyncio.wait_for(running.stderr.readline(), 20)).decode():
        if " ready " in line:
            return line
    pytest.fail("the process ended before it was ready")


def log_of(home: Path):
    data = (home / "venue" / "orders.log").read_bytes()
    return [entry for entry, _ in read_entries(data)]


async def trade(home: Path, name: str) -> None:
    path = home / "run" / "venue.sock"
    source = await Client.open(path, "CONNECTION_ROLE_FEED")
    await source.send(market_event=BOOK)
    await source.until("feed_ack")
    trader = await Client.open(path, "CONNECTION_ROLE_TRADING")
    await trader.order(name, BUY, 10, 600_001, tif=IOC)
    assert (await trader.event()).WhichOneof("body") == "order_ack"
    assert (await trader.event()).trade.qty_lots == 10
    await source.close()
    await trader.close()


async def test_kill_9_loses_nothing_that_was_answered(home):
    async with process("titan_market.venue", "--home", str(home)) as venue:
        assert "epoch=1 orders=0" in await ready(venue)
        assert int((home / "run" / "venue.ready").read_text()) == venue.pid
        await trade(home, "a" * 26)
        venue.kill()
        await venue.wait()
    assert [entry.kind for entry in log_of(home)] == [1, 2, 4]
    async with process("titan_market.venue", "--home", str(home)) as venue:
        assert "epoch=2 orders=1" in await ready(venue)
        await trade(home, "b" * 26)
        venue.send_signal(signal.SIGTERM)
        assert await venue.wait() == 0
    assert [entry.sequence for entry in log_of(home)] == list(range(1, 7))
    assert not (home / "run" / "venue.sock").exists()
    assert not (home / "run" / "venue.ready").exists()


async def test_a_second_venue_on_one_home_is_refused(home):
    async with process("titan_market.venue", "--home", str(home)) as venue:
        await ready(venue)
        async with process("titan_market.venue", "--home", str(home)) as second:
            _, errors = await second.communicate()
            assert second.returncode == 73
            assert b"ORDER_LOG_LOCKED" in errors


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("seed = 7", ""), "SETTING_MISSING"),
        (("seed = 7", "seed = 7\nspeed = 1"), "SETTING_UNKNOWN"),
        (("jitter_us = 0", "jitter_us = -1"), "SETTING_INVALID"),
        (("run/venue.sock", "run/" + "x" * 100), "SOCKET_PATH_TOO_LONG"),
        ((str(INSTRUMENTS), "nowhere"), "INSTRUMENTS_MISSING"),
    ],
)
async def test_wrong_settings_end_with_their_code(home, change, code):
    toml = home / "titan.toml"
    toml.write_text(toml.read_text().replace(*change))
    async with process("titan_market.venue", "--home", str(home)) as venue:
        _, errors = await venue.communicate()
    assert venue.returncode == 64
    assert code.encode() in errors
    assert not (home / "run" / "venue.sock").exists()
