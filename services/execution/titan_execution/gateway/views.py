"""Copies of engine state as the output ring carries them.

Owns the layout of core/door.pxd's packed structs on the Python side. Must never compute.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from titan.risk.v1 import trading_state_pb2
from titan.trading.v1 import order_pb2

_ORDER = struct.Struct("<16s28s37sBBBBBBHHqqqqQQ")
_SYMBOL = struct.Struct("<13qBBB")
_STATE = struct.Struct("<5Q5q8QiIIIIBBBBBB")
_EDGE = struct.Struct("<QQQqQQ")
_PAGE = struct.Struct("<IQ")


class OrderView(NamedTuple):
    """One order."""

    intent_id: bytes
    client_order_id: str
    venue_order_id: str
    side: order_pb2.Side.ValueType
    order_type: order_pb2.OrderType.ValueType
    time_in_force: order_pb2.TimeInForce.ValueType
    ord_status: order_pb2.OrdStatus.ValueType
    intent_state: order_pb2.IntentState.ValueType
    reduce_only: int
    symbol: int
    phase: int
    qty_lots: int
    price_ticks: int
    cum_lots: int
    leaves_lots: int
    confirmed_lsn: int
    last_lsn: int


class SymbolView(NamedTuple):
    """One symbol: position, exposure, book, the venue's word."""

    position_lots: int
    open_buy_lots: int
    open_sell_lots: int
    cash_nanos: int
    fee_nanos: int
    bid_ticks: int
    ask_ticks: int
    book_age_ns: int
    update_id: int
    mid_half_ticks: int
    venue_position_lots: int
    venue_age_ns: int
    holder_lots: int
    book_live: int
    comparable: int
    holder: int


class StateView(NamedTuple):
    """The engine at one instant."""

    epoch: int
    last_lsn: int
    halt_epoch: int
    halt_lsn: int
    brain_epoch: int
    boottime_ns: int
    lease_expires_ns: int
    oldest_unknown_ns: int
    ack_latency_ns: int
    clock_offset_ns: int
    prepared_total: int
    confirmed_total: int
    refused_total: int
    verdicts_dropped: int
    duplicate_fills: int
    late_fills: int
    orphans: int
    external_orders: int
    venue_open_orders: int
    open_orders: int
    prepared: int
    unknown_orders: int
    sessions: int
    state: trading_state_pb2.TradingState.ValueType
    cause: trading_state_pb2.BreakerCause.ValueType
    link: int
    reconciled: int
    lease_granted: int
    n_symbols: int


class EdgeView(NamedTuple):
    """What lease and latch calls answer."""

    state: trading_state_pb2.TradingState.ValueType
    halt_epoch: int
    lsn: int
    lease_expires_ns: int
    last_lsn: int
    epoch: int


LINK_UP = 2


def order_of(data: bytes, offset: int = 0) -> OrderView:
    """One OrderView."""
    raw = _ORDER.unpack_from(data, offset)
    texts = (part.split(b"\0", 1)[0].decode("ascii") for part in raw[1:3])
    return OrderView(raw[0], *texts, *raw[3:])


def orders_of(data: bytes) -> tuple[list[OrderView], int]:
    """A page of orders and the before_lsn of the next one (0 = no more)."""
    count, next_before_lsn = _PAGE.unpack_from(data)
    orders = [order_of(data, _PAGE.size + i * _ORDER.size) for i in range(count)]
    return orders, next_before_lsn


def state_of(data: bytes) -> tuple[StateView, list[SymbolView]]:
    """The state and its symbols, in the order of the policy."""
    state = StateView(*_STATE.unpack_from(data))
    symbols = [
        SymbolView(*_SYMBOL.unpack_from(data, _STATE.size + i * _SYMBOL.size))
        for i in range(state.n_symbols)
    ]
    return state, symbols


def edge_of(data: bytes) -> EdgeView:
    """The edge after a lease or latch call."""
    return EdgeView(*_EDGE.unpack(data))
