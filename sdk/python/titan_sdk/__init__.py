"""Titan for strategy authors: subclass Strategy, submit intents, read what became of them.

Owns the public surface; a test pins it. Must never import grpc, ccxt, SQLAlchemy or anything
compiled by Titan.
"""

from titan_sdk.allowance import Allowance
from titan_sdk.book import Book
from titan_sdk.config import PhaseConfig
from titan_sdk.instruments import Instrument, Instruments, Wish
from titan_sdk.intent import Intent, IntentInvalid
from titan_sdk.market import Bar, Trade
from titan_sdk.orders import Accepted, OrderHandle, Outcome, Rejected, Report, Stamps
from titan_sdk.runner import run
from titan_sdk.strategy import Strategy
from titan_sdk.vocabulary import (
    BreakerCause,
    ExecType,
    IntentState,
    Liquidity,
    OrderType,
    OrdStatus,
    RecordKind,
    RejectReason,
    Side,
    TimeInForce,
    TradingState,
)

__all__ = [
    "Accepted",
    "Allowance",
    "Bar",
    "Book",
    "BreakerCause",
    "ExecType",
    "Instrument",
    "Instruments",
    "Intent",
    "IntentInvalid",
    "IntentState",
    "Liquidity",
    "OrdStatus",
    "OrderHandle",
    "OrderType",
    "Outcome",
    "PhaseConfig",
    "RecordKind",
    "RejectReason",
    "Rejected",
    "Report",
    "Side",
    "Stamps",
    "Strategy",
    "TimeInForce",
    "Trade",
    "TradingState",
    "Wish",
    "run",
]
