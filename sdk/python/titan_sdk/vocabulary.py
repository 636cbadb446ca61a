"""The contract's enums under short names: Side.BUY, TimeInForce.IOC, RejectReason.PRICE_COLLAR.

Owns nothing but the names that authors import. Must never define a value of its own.
"""

from __future__ import annotations

from titan_sdk._pb.titan.execution.v1 import RecordKind
from titan_sdk._pb.titan.risk.v1 import BreakerCause, TradingState
from titan_sdk._pb.titan.trading.v1 import (
    ExecType,
    IntentState,
    Liquidity,
    OrderType,
    OrdStatus,
    RejectReason,
    Side,
    TimeInForce,
)

__all__ = [
    "BreakerCause",
    "ExecType",
    "IntentState",
    "Liquidity",
    "OrdStatus",
    "OrderType",
    "RecordKind",
    "RejectReason",
    "Side",
    "TimeInForce",
    "TradingState",
]
