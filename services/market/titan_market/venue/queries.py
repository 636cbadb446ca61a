"""Answers to queries: one order, open orders, fills, positions.

Owns what an account may see and when. Must never change an order.
"""

from __future__ import annotations

from titan.venue.v1 import venue_pb2

from titan_market.venue import answers
from titan_market.venue.faults import Faults
from titan_market.venue.ledger import Ledger
from titan_market.venue.moments import Moment

QUERIES = frozenset({"query_order", "query_open_orders", "query_trades", "query_positions"})


class QueryDesk:
    """Reads the ledger through the visibility lag and the query faults."""

    def __init__(self, ledger: Ledger, faults: Faults) -> None:
        self._ledger = ledger
        self._faults = faults

    def answer(
        self, account: str, request: venue_pb2.VenueRequest, now: Moment
    ) -> list[venue_pb2.VenueEvent]:
        """Every element of the answer, in order; a failed one is a QueryEnd that says so."""
        if self._faults.use("fail_queries"):
            return [answers.query_end(0, "Internal error; unable to process your request.")]
        seen_ns = now.unix_ns - self._faults.visibility_lag_ns
        body = request.WhichOneof("body")
        if body == "query_order":
            return [self._order(account, request.query_order.client_order_id, seen_ns)]
        if body == "query_open_orders":
            listed = self._open_orders(account, seen_ns)
        elif body == "query_trades":
            listed = self._trades(account, request.query_trades.client_order_id, seen_ns)
        else:
            listed = self._positions(account)
        return [*listed, answers.query_end(len(listed))]

    def _order(self, account: str, client_order_id: str, seen_ns: int) -> venue_pb2.VenueEvent:
        order = self._ledger.find(account, client_order_id)
        if order is None or order.taken_ns > seen_ns:
            return answers.not_found(client_order_id)
        return answers.order_state(order, seen_ns)

    def _open_orders(self, account: str, seen_ns: int) -> list[venue_pb2.VenueEvent]:
        return [
            answers.order_state(order, seen_ns)
            for order in self._ledger.open_orders(account)
            if order.taken_ns <= seen_ns
        ]

    def _trades(
        self, account: str, client_order_id: str, seen_ns: int
    ) -> list[venue_pb2.VenueEvent]:
        order = self._ledger.find(account, client_order_id)
        if order is None:
            return []
        return [
            answers.trade(fill, replayed=True)
            for fill in order.trades
            if fill.venue_time_ns <= seen_ns
        ]

    def _positions(self, account: str) -> list[venue_pb2.VenueEvent]:
        return [
            answers.position(symbol, lots)
            for (owner, symbol), lots in sorted(self._ledger.positions.items())
            if owner == account
        ]
