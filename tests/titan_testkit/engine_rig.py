"""The compiled engine stepped by hand: time, FastPath verbs and venue events in, messages out.

Owns a policy, a book and the venue's side of the conversation. Must never judge: tests do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.execution.v1 import prepare_verdict_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.risk.v1 import lease_pb2, trading_state_pb2
from titan.trading.v1 import intent_pb2, order_pb2, reject_reason_pb2
from titan.venue.v1 import venue_pb2
from titan_execution.core.host import EngineHost
from titan_execution.core.probe import Probe
from titan_execution.gateway.build import build_engine
from titan_execution.gateway.views import StateView, SymbolView, state_of
from titan_mesh.instruments import load_instruments
from titan_mesh.policy_hash import Policy, parse_policy

COMPOSE = Path(__file__).resolve().parents[2] / "compose"
ACCOUNT, VENUE, SYMBOL, PHASE = "paper-main", "paper", "BTCUSDT", "scavenger"
MS = 1_000_000
START_NS = 1_000_000 * MS
UNIX_NS = 1_790_000_000_000_000_000
BID, ASK = 600_000, 600_001
LOTS = 500

_ANSWERS: dict[int, type[Message]] = {
    frames.FRAME_TYPE_PREPARED: frames.Prepared,
    frames.FRAME_TYPE_ACCEPTED: frames.Accepted,
    frames.FRAME_TYPE_ABORTED: frames.Aborted,
    frames.FRAME_TYPE_STATUS_REPORT: frames.StatusReport,
    frames.FRAME_TYPE_CANCEL_ACCEPTED: frames.CancelAccepted,
    frames.FRAME_TYPE_PONG: frames.Pong,
    frames.FRAME_TYPE_REFUSED: frames.Refused,
}


def policy_with(change: Callable[[dict[str, Any]], None] | None = None) -> Policy:
    """The policy of paper, changed."""
    document = json.loads((COMPOSE / "policy" / "risk_policy.json").read_text())
    if change is not None:
        change(document)
    return parse_policy(json.dumps(document).encode())


class EngineRig:
    """One engine, one policy, one venue that does what the test says."""

    def __init__(
        self,
        change: Callable[[dict[str, Any]], None] | None = None,
        *,
        slots_log2: int = 12,
        host: EngineHost | None = None,
    ) -> None:
        self.policy = policy_with(change)
        self.instruments = load_instruments(COMPOSE / "instruments")
        self.host = host or build_engine(
            ACCOUNT, VENUE, self.policy, self.instruments, slots_log2=slots_log2
        )
        self.probe = Probe(self.host)
        self.now_ns = START_NS
        self.records: list[report_pb2.ExecutionReport] = []
        self.bodies: list[bytes] = []
        self.requests: list[venue_pb2.VenueRequest] = []
        self._ids = 0
        self._events = 0
        self._leases = 0
        self._updates = 0
        self._trades = 0
        self.positions: dict[str, int] = {}
        self.step(0)

    # ---- time and stages -------------------------------------------------------------------------

    def step(self, ns: int = 0) -> None:
        """Time passes; the timer does not run."""
        self.now_ns += ns
        self.probe.at(self.now_ns, UNIX_NS + self.now_ns)

    def tick(self, ns: int = 0) -> None:
        """Time passes and the timer runs."""
        self.step(ns)
        self.probe.tick()
        self.collect()

    def collect(self) -> None:
        """Takes what was staged."""
        for _kind, _lsn, body in self.host.drain_records():
            self.bodies.append(body)
            self.records.append(report_pb2.ExecutionReport.FromString(body))
        self.requests += [
            venue_pb2.VenueRequest.FromString(data) for data in self.probe.take_requests()
        ]

    def kinds(self) -> list[int]:
        """Kinds of the records so far."""
        self.collect()
        return [record.kind for record in self.records]

    def verdicts(self) -> list[prepare_verdict_pb2.PrepareVerdict]:
        """Verdicts staged since the last call."""
        return [
            prepare_verdict_pb2.PrepareVerdict.FromString(data)
            for data in self.probe.take_verdicts()
        ]

    def state(self) -> tuple[StateView, SymbolView]:
        """The engine and its first symbol."""
        state, symbols = state_of(self.probe.state())
        return state, symbols[0]

    # ---- doors -----------------------------------------------------------------------------------

    def open(self) -> EngineRig:
        """Ready for new risk: started, leased, reconciled, with a book."""
        self.host.start(1, self.now_ns, UNIX_NS + self.now_ns)
        self.logon()
        self.reconcile()
        self.lease()
        self.book()
        return self

    def lease(self, **changes: Any) -> bool | reject_reason_pb2.Rejection:
        """Grants the next lease; True or the rejection."""
        self._leases += 1
        facts: dict[str, Any] = {
            "account": ACCOUNT,
            "policy_hash": self.policy.hash,
            "brain_epoch": 1,
            "lease_sequence": self._leases,
            "state": trading_state_pb2.TRADING_STATE_NORMAL,
            "ttl_ms": 3000,
            "truth_score": 100,
            "max_leverage_pct": 500,
            "max_gross_notional_nanos": 500_000 * 10**9,
            "budgets": [
                lease_pb2.PhaseBudget(
                    phase_id=PHASE, max_notional_nanos=200_000 * 10**9, allowed=True
                )
            ],
            "cause": trading_state_pb2.BREAKER_CAUSE_RECOVERED,
        }
        lease = lease_pb2.RiskLease(**{**facts, **changes})
        answer = self.probe.lease(lease.SerializeToString())
        if isinstance(answer, bytes):
            return reject_reason_pb2.Rejection.FromString(answer)
        return answer

    def intent(self, **changes: Any) -> intent_pb2.IntentSignal:
        """A good intent: buys two lots at the ask, at once or never."""
        self._ids += 1
        facts: dict[str, Any] = {
            "intent_id": self._ids.to_bytes(16, "big"),
            "policy_hash": self.policy.hash,
            "phase_id": PHASE,
            "account": ACCOUNT,
            "symbol": SYMBOL,
            "instrument_version": 1,
            "side": order_pb2.SIDE_BUY,
            "order_type": order_pb2.ORDER_TYPE_LIMIT,
            "time_in_force": order_pb2.TIME_IN_FORCE_IOC,
            "qty_lots": 2,
            "price_ticks": ASK,
            "created_at_ns": UNIX_NS,
            "expires_at_boottime_ns": self.now_ns + 5_000 * MS,
            "rule": "test",
        }
        return intent_pb2.IntentSignal(**{**facts, **changes})

    def prepare(
        self,
        intent: intent_pb2.IntentSignal | bytes,
        *,
        frame_hash: bytes = b"",
        principal: str = PHASE,
    ) -> Any:
        """Prepared or Refused."""
        raw = intent if isinstance(intent, bytes) else intent.SerializeToString()
        answer = self.probe.prepare(raw, frame_hash or self.policy.hash, principal.encode())
        return _decoded(answer)

    def confirm(self, prepared: frames.Prepared, *, frame_hash: bytes = b"") -> Any:
        """Accepted or Refused."""
        answer = self.probe.confirm(
            prepared.intent_id, prepared.token, frame_hash or self.policy.hash
        )
        self.collect()
        return _decoded(answer)

    def submit(self, intent: intent_pb2.IntentSignal) -> Any:
        """PREPARE and CONFIRM."""
        prepared = self.prepare(intent)
        return self.confirm(prepared) if isinstance(prepared, frames.Prepared) else prepared

    def abort(self, intent_id: bytes) -> Any:
        """Aborted or Refused."""
        return _decoded(self.probe.abort(intent_id))

    def status(self, intent_id: bytes) -> Any:
        """StatusReport."""
        return _decoded(self.probe.status(intent_id))

    def cancel(self, intent_id: bytes) -> Any:
        """CancelAccepted or Refused."""
        answer = _decoded(self.probe.cancel(intent_id))
        self.collect()
        return answer

    # ---- the venue -------------------------------------------------------------------------------

    def venue(self, request_id: int = 0, **body: Any) -> None:
        """One event of the venue."""
        self._events += 1
        event = venue_pb2.VenueEvent(request_id=request_id, event_sequence=self._events, **body)
        self.probe.venue(event.SerializeToString())
        self.collect()

    def logon(self) -> None:
        """The link comes up."""
        self.venue(
            logon_accepted=venue_pb2.LogonAccepted(
                venue=VENUE, boottime_ns=self.now_ns, venue_epoch=1
            )
        )

    def reconcile(self) -> None:
        """Answers open orders and positions with what the test set in `positions`."""
        for _ in range(2):
            self.tick(MS)
            for request in self.pending("query_open_orders"):
                self.venue(request.request_id, query_end=venue_pb2.QueryEnd(complete=True))
            for request in self.pending("query_positions"):
                for symbol, lots in self.positions.items():
                    position = venue_pb2.Position(symbol=symbol, position_lots=lots)
                    self.venue(request.request_id, position=position)
                self.venue(request.request_id, query_end=venue_pb2.QueryEnd(complete=True))

    def pending(self, body: str) -> list[venue_pb2.VenueRequest]:
        """Requests of that kind that nobody took yet."""
        self.collect()
        found = [request for request in self.requests if request.WhichOneof("body") == body]
        self.requests = [request for request in self.requests if request not in found]
        return found

    def book(
        self, bid: int = BID, ask: int = ASK, lots: int = LOTS, *, age_ns: int = 0, levels: int = 5
    ) -> None:
        """A whole book."""
        self._updates += 1
        self.venue(
            market_event={
                "symbol": SYMBOL,
                "event_boottime_ns": self.now_ns - age_ns,
                "book_snapshot": {
                    "update_id": self._updates,
                    "bid_price_ticks": [bid - i for i in range(levels)] if bid else [],
                    "bid_qty_lots": [lots] * (levels if bid else 0),
                    "ask_price_ticks": [ask + i for i in range(levels)] if ask else [],
                    "ask_qty_lots": [lots] * (levels if ask else 0),
                },
            }
        )

    def ack(self, client_order_id: str) -> None:
        """The order is taken."""
        self.venue(
            order_ack=venue_pb2.OrderAck(client_order_id=client_order_id, venue_order_id="P1")
        )

    def trade(
        self,
        client_order_id: str,
        lots: int,
        cum: int,
        leaves: int,
        *,
        ticks: int = ASK,
        trade_id: str = "",
        request_id: int = 0,
    ) -> None:
        """A fill."""
        self._trades += 1
        self.venue(
            request_id,
            trade=venue_pb2.Trade(
                client_order_id=client_order_id,
                trade_id=trade_id or f"T{self._trades}",
                qty_lots=lots,
                price_ticks=ticks,
                fee_nanos=1000,
                cum_qty_lots=cum,
                leaves_qty_lots=leaves,
                replayed=request_id != 0,
            ),
        )

    def canceled(self, client_order_id: str, cum: int = 0, expired: bool = False) -> None:
        """The order ended."""
        self.venue(
            order_canceled=venue_pb2.OrderCanceled(
                client_order_id=client_order_id, cum_qty_lots=cum, expired=expired
            )
        )

    def rejected(self, client_order_id: str, code: str = "-2022") -> None:
        """The order is refused."""
        self.venue(order_reject=venue_pb2.OrderReject(client_order_id=client_order_id, code=code))

    # ---- common situations -----------------------------------------------------------------------

    def position(self, lots: int, ticks: int = ASK) -> None:
        """Makes a position by filled orders; negative sells."""
        side = order_pb2.SIDE_BUY if lots > 0 else order_pb2.SIDE_SELL
        intent = self.intent(side=side, qty_lots=abs(lots), price_ticks=ticks)
        accepted = self.submit(intent)
        assert isinstance(accepted, frames.Accepted), accepted
        self.ack(accepted.client_order_id)
        self.trade(accepted.client_order_id, abs(lots), abs(lots), 0, ticks=ticks)
        self.positions[SYMBOL] = self.positions.get(SYMBOL, 0) + lots

    def resting(self, **changes: Any) -> tuple[intent_pb2.IntentSignal, str]:
        """A working order."""
        facts = {"time_in_force": order_pb2.TIME_IN_FORCE_GTC, "price_ticks": BID - 5}
        intent = self.intent(**{**facts, **changes})
        accepted = self.submit(intent)
        assert isinstance(accepted, frames.Accepted), accepted
        self.ack(accepted.client_order_id)
        return intent, accepted.client_order_id


def _decoded(answer: tuple[int, bytes]) -> Any:
    return _ANSWERS[answer[0]].FromString(answer[1])
