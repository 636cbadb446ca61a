"""The test kit: drive a Strategy without a network, on a clock that the test owns.

Owns the fakes that authors may rely on. Must never be imported by a running phase.
"""

from titan_sdk.testing.bench import Bench
from titan_sdk.testing.execution import FakeExecution, SimulatedReport
from titan_sdk.testing.session import (
    BookEvent,
    SessionEvent,
    TradeEvent,
    read_session,
    write_session,
)

__all__ = [
    "Bench",
    "BookEvent",
    "FakeExecution",
    "SessionEvent",
    "SimulatedReport",
    "TradeEvent",
    "read_session",
    "write_session",
]
