"""The paper venue without I/O: requests in, events out, time an argument.

Owns roles of connections, routing of events and their delay. Must never read a clock or a socket;
the same requests at the same moments with the same seed give the same events.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from titan.trading.v1 import instrument_pb2
from titan.venue.v1 import venue_pb2
from titan_mesh.errors import TitanError

from titan_market.venue import answers
from titan_market.venue.desk import Desk, Told
from titan_market.venue.faults import Faults, LatencyModel
from titan_market.venue.ledger import Ledger
from titan_market.venue.limits import MAX_ACCOUNTS
from titan_market.venue.moments import Moment
from titan_market.venue.orderlog import EntrySink
from titan_market.venue.queries import QUERIES, QueryDesk
from titan_market.venue.tape import Tape

VENUE = "paper"
_TRADING = venue_pb2.CONNECTION_ROLE_TRADING
_FEED = venue_pb2.CONNECTION_ROLE_FEED
_ADMIN = venue_pb2.CONNECTION_ROLE_ADMIN
_ORDERS = frozenset({"submit_order", "cancel_order", "cancel_all_orders"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event for one connection, not before due_boottime_ns; None closes the connection."""

    connection: int
    event: venue_pb2.VenueEvent | None
    due_boottime_ns: int = 0


@dataclass(slots=True)
class _Session:
    role: venue_pb2.ConnectionRole.ValueType
    account: str
    market_data: bool


Verb = Callable[[int, str, venue_pb2.VenueRequest, Moment], list[Outgoing]]


class VenueEngine:
    """All of the venue's decisions."""

    def __init__(
        self,
        specs: Mapping[str, instrument_pb2.InstrumentSpec],
        ledger: Ledger,
        log: EntrySink,
        latency: LatencyModel,
        rng: random.Random,
    ) -> None:
        self.ledger = ledger
        self.faults = Faults(latency, rng)
        self.desk = Desk(specs, ledger, log)
        self.tape = Tape(self.desk.markets)
        self._queries = QueryDesk(ledger, self.faults)
        self._sessions: dict[int, _Session] = {}
        self._verbs: dict[tuple[int, str], Verb] = {
            (_FEED, "market_event"): self._market,
            (_ADMIN, "set_faults"): self._set_faults,
            **{(_TRADING, body): self._order_verb for body in _ORDERS},
            **{(_TRADING, body): self._query for body in QUERIES},
        }

    def start(self, now: Moment) -> None:
        """Opens the venue's next epoch."""
        self.desk.start(now)

    def closed(self, connection: int) -> None:
        """The connection is gone; its orders stay."""
        self._sessions.pop(connection, None)

    def role(self, connection: int) -> venue_pb2.ConnectionRole.ValueType:
        """Role of a connection, UNSPECIFIED before its logon."""
        session = self._sessions.get(connection)
        return session.role if session else venue_pb2.CONNECTION_ROLE_UNSPECIFIED

    def handle(
        self, connection: int, request: venue_pb2.VenueRequest, now: Moment
    ) -> list[Outgoing]:
        """One request of one connection."""
        body = request.WhichOneof("body")
        session = self._sessions.get(connection)
        if body == "logon":
            return self._logon(connection, request, session, now)
        if session is None:
            return self._refuse(
                connection, request, "LOGON_REQUIRED", "the first request is a Logon"
            )
        verb = self._verbs.get((session.role, body or ""))
        if verb is not None:
            return verb(connection, session.account, request, now)
        if body is None:
            return self._refuse(connection, request, "REQUEST_EMPTY", "no body that is known here")
        name = venue_pb2.ConnectionRole.Name(session.role)
        return self._refuse(connection, request, "ROLE_NOT_ALLOWED", f"{body} as {name}")

    # ---- answers -----------------------------------------------------------------------------

    @staticmethod
    def _directly(
        connection: int, request: venue_pb2.VenueRequest, events: Iterable[venue_pb2.VenueEvent]
    ) -> list[Outgoing]:
        out = []
        for event in events:
            event.request_id = request.request_id
            out.append(Outgoing(connection, event))
        return out

    def _refuse(
        self, connection: int, request: venue_pb2.VenueRequest, code: str, text: str
    ) -> list[Outgoing]:
        return self._directly(connection, request, [answers.refused(code, text)])

    def _tell(
        self, told: Iterable[Told], now: Moment, asked: tuple[int, int] = (0, 0)
    ) -> list[Outgoing]:
        """Order events to every trading connection of their account, in the order of the order.

        `asked` is (connection, request_id) of the request that caused them.
        """
        out = []
        due = now.boottime_ns + self.faults.answer_delay_ns() if asked[0] else now.boottime_ns
        for order, account, event in told:
            at = due
            if order is not None:
                at = order.answer_due_boottime_ns = max(at, order.answer_due_boottime_ns)
            for connection, session in self._sessions.items():
                if session.role != _TRADING or session.account != account:
                    continue
                copy = venue_pb2.VenueEvent()
                copy.CopyFrom(event)
                copy.request_id = asked[1] if connection == asked[0] else 0
                out.append(Outgoing(connection, copy, at))
        return out

    # ---- requests ----------------------------------------------------------------------------

    def _logon(
        self,
        connection: int,
        request: venue_pb2.VenueRequest,
        session: _Session | None,
        now: Moment,
    ) -> list[Outgoing]:
        logon = request.logon
        if session is not None:
            return self._refuse(connection, request, "LOGON_REPEATED", "already logged on")
        if logon.role not in (_TRADING, _FEED, _ADMIN):
            return self._refuse(connection, request, "ROLE_UNKNOWN", f"role {logon.role}")
        if logon.role == _TRADING and not 1 <= len(logon.account) <= 24:
            text = f"account {logon.account[:24]!r}: 1 to 24 characters"
            return self._refuse(connection, request, "ACCOUNT_INVALID", text)
        accounts = {s.account for s in self._sessions.values()} | {logon.account}
        if len(accounts) > MAX_ACCOUNTS:
            text = f"at most {MAX_ACCOUNTS} accounts at a time"
            return self._refuse(connection, request, "ACCOUNTS_LIMIT", text)
        self._sessions[connection] = _Session(logon.role, logon.account, logon.market_data)
        welcome = venue_pb2.VenueEvent(
            request_id=request.request_id,
            logon_accepted=venue_pb2.LogonAccepted(
                venue=VENUE, boottime_ns=now.boottime_ns, venue_epoch=self.ledger.epoch
            ),
        )
        out = [Outgoing(connection, welcome)]
        if logon.market_data:
            for snapshot in self.tape.snapshots():
                out.append(Outgoing(connection, venue_pb2.VenueEvent(market_event=snapshot)))
        return out

    def _order_verb(
        self, connection: int, account: str, request: venue_pb2.VenueRequest, now: Moment
    ) -> list[Outgoing]:
        asked = (connection, request.request_id)
        body = request.WhichOneof("body")
        if body == "submit_order":
            forced = self.faults.reject_next > 0
            told = self.desk.submit(account, request.submit_order, now, forced)
            if told[0].order is not None and self.faults.use("drop_replies"):
                return []
            if told[0].order is None and forced:
                self.faults.use("reject_next")
            return self._tell(told, now, asked)
        if body == "cancel_order":
            told = self.desk.cancel(account, request.cancel_order.client_order_id, now)
            return self._tell(told, now, asked)
        told = self.desk.cancel_all(account, request.cancel_all_orders.symbol, now)
        out = self._tell(told, now, asked)
        end = answers.query_end(len(told))
        end.request_id = request.request_id
        # Behind every cancel of this connection, so that it is an end.
        last = max((o.due_boottime_ns for o in out), default=now.boottime_ns)
        return [*out, Outgoing(connection, end, last)]

    def _query(
        self, connection: int, account: str, request: venue_pb2.VenueRequest, now: Moment
    ) -> list[Outgoing]:
        found = self._queries.answer(account, request, now)
        return self._directly(connection, request, found)

    def _set_faults(
        self, connection: int, _account: str, request: venue_pb2.VenueRequest, _now: Moment
    ) -> list[Outgoing]:
        problem = self.faults.set(request.set_faults)
        if problem:
            return self._refuse(connection, request, "FAULT_INVALID", problem)
        out = self._directly(connection, request, [answers.query_end(0)])
        if request.set_faults.disconnect_now:
            out.extend(
                Outgoing(other, None)
                for other, session in self._sessions.items()
                if session.role == _TRADING
            )
        return out

    def _market(
        self, connection: int, _account: str, request: venue_pb2.VenueRequest, now: Moment
    ) -> list[Outgoing]:
        event = request.market_event
        try:
            fills = self.tape.take(event)
        except TitanError as fault:
            return self._refuse(connection, request, fault.code, fault.message)
        out = self._tell(self.desk.fills(event.symbol, fills, now), now) if fills else []
        for listener, session in self._sessions.items():
            if session.market_data:
                out.append(Outgoing(listener, venue_pb2.VenueEvent(market_event=event)))
        return out
