"""The public surface of titan_sdk: what an author may rely on, pinned."""

import inspect
import subprocess
import sys

import titan_sdk
from titan_sdk import Strategy, testing

SURFACE = {
    "Accepted", "Allowance", "Bar", "Book", "BreakerCause", "ExecType", "Instrument", "Instruments",
    "Intent", "IntentInvalid", "IntentState", "Liquidity", "OrdStatus", "OrderHandle", "OrderType",
    "Outcome", "PhaseConfig", "RecordKind", "RejectReason", "Rejected", "Report", "Side", "Stamps",
    "Strategy", "TimeInForce", "Trade", "TradingState", "Wish", "run",
}  # fmt: skip
HANDLERS = {
    "on_start", "on_book", "on_trade", "on_bar", "on_report", "on_rejected", "on_lease", "on_timer",
    "on_stop",
}  # fmt: skip
VERBS = {
    "every", "buy", "sell", "wish", "submit", "cancel", "now_ns", "may_open", "book", "instrument",
    "position_lots",
}  # fmt: skip
NOT_FOR_AUTHORS = {"grpc", "ccxt", "sqlalchemy", "titan_book", "titan_execution", "titan_brain"}


def test_the_surface_is_what_it_was() -> None:
    assert set(titan_sdk.__all__) == SURFACE
    assert all(hasattr(titan_sdk, name) for name in SURFACE)
    assert titan_sdk.__all__ == sorted(titan_sdk.__all__, key=lambda n: (n[0].islower(), n))


def test_the_vocabulary_of_a_strategy_is_what_it_was() -> None:
    public = {name for name in vars(Strategy) if not name.startswith("_")}
    assert public == HANDLERS | VERBS | {"bar_interval_ns", "config_type"}
    for name in HANDLERS:
        assert inspect.getdoc(getattr(Strategy, name))


def test_the_test_kit_is_what_it_was() -> None:
    assert set(testing.__all__) == {
        "Bench", "BookEvent", "FakeExecution", "SessionEvent", "SimulatedReport", "TradeEvent",
        "read_session", "write_session",
    }  # fmt: skip


def test_importing_the_sdk_brings_no_service_and_nothing_compiled_by_us() -> None:
    code = "import sys, titan_sdk.testing; print(*{n.partition('.')[0] for n in sys.modules})"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not NOT_FOR_AUTHORS & set(told.stdout.split())
