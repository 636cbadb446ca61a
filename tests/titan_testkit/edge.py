"""Execution as its clients see it: gRPC calls, FastPath sessions, intents, leases.

Owns the test's side of both doors. Must never look into Execution: what is asserted came over a
wire.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message
from titan.brain.v1 import brain_service_pb2_grpc, operator_service_pb2_grpc
from titan.execution.v1 import (
    execution_control_service_pb2 as control_pb2,
)
from titan.execution.v1 import (
    execution_control_service_pb2_grpc,
    execution_report_pb2,
    execution_service_pb2_grpc,
)
from titan.execution.v1 import execution_service_pb2 as execution_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.risk.v1 import lease_pb2, trading_state_pb2
from titan.trading.v1 import intent_pb2, order_pb2
from titan_mesh import keys
from titan_mesh.clock import SystemClock
from titan_mesh.fastpath import ClientKey, FastPathClient, Session
from titan_mesh.fastpath.contract import ContractHandshake
from titan_mesh.fastpath.session import SessionWire
from titan_mesh.ids import IdSource, SystemRng
from titan_mesh.policy_hash import load_policy
from titan_mesh.rpc.status import from_rpc_error

from titan_testkit.mesh import Mesh, until
from titan_testkit.paper import ASK_TICKS, SYMBOL, PaperMarket

CALL_S = 5.0
ANSWER_NS = 5_000_000_000
TTL_NS = 5_000_000_000
LOTS = 2
LONG_LEASE_MS = 60_000
NORMAL = trading_state_pb2.TRADING_STATE_NORMAL
DEFENSIVE = trading_state_pb2.TRADING_STATE_DEFENSIVE
HALTED = trading_state_pb2.TRADING_STATE_HALTED

_ANSWERS: dict[int, type[Message]] = {
    frames.FRAME_TYPE_PREPARED: frames.Prepared,
    frames.FRAME_TYPE_ACCEPTED: frames.Accepted,
    frames.FRAME_TYPE_ABORTED: frames.Aborted,
    frames.FRAME_TYPE_STATUS_REPORT: frames.StatusReport,
    frames.FRAME_TYPE_CANCEL_ACCEPTED: frames.CancelAccepted,
    frames.FRAME_TYPE_PONG: frames.Pong,
    frames.FRAME_TYPE_HALT_ACCEPTED: frames.HaltAccepted,
    frames.FRAME_TYPE_REFUSED: frames.Refused,
}


class FastPath:
    """One session of a principal; an answer is the message that it is."""

    def __init__(self, mesh: Mesh, principal: str, policy_hash: bytes) -> None:
        key = keys.read_fastpath_key(mesh.home.root, principal)
        self._clock = SystemClock()
        self._client = FastPathClient(
            mesh.home.run / "execution.sock",
            ClientKey(key.key_id, key.principal, key.secret),
            ContractHandshake(),
            self._clock,
            SystemRng(),
            session=Session(policy_hash=policy_hash),
        )
        self.ready = self._client.connect(ANSWER_NS)

    def ask(self, frame_type: int, request: Message) -> Any:
        """One request and its answer."""
        return self.ask_raw(frame_type, request.SerializeToString())

    def ask_raw(self, frame_type: int, payload: bytes) -> Any:
        """One request of bytes and its answer."""
        deadline_ns = self._clock.boottime_ns() + ANSWER_NS
        kind, answer = self._client.request(frame_type, payload, deadline_ns)
        return _ANSWERS[kind].FromString(answer)

    def prepare(self, intent: intent_pb2.IntentSignal) -> Any:
        """Prepared or Refused."""
        return self.ask(frames.FRAME_TYPE_PREPARE, frames.Prepare(intent=intent))

    def confirm(self, prepared: frames.Prepared) -> Any:
        """Accepted or Refused."""
        request = frames.Confirm(intent_id=prepared.intent_id, token=prepared.token)
        return self.ask(frames.FRAME_TYPE_CONFIRM, request)

    def submit(self, intent: intent_pb2.IntentSignal) -> Any:
        """PREPARE and CONFIRM: Accepted, or the Refused of either."""
        answer = self.prepare(intent)
        return self.confirm(answer) if isinstance(answer, frames.Prepared) else answer

    def cancel(self, intent_id: bytes) -> Any:
        """CancelAccepted or Refused."""
        return self.ask(frames.FRAME_TYPE_CANCEL, frames.Cancel(intent_id=intent_id))

    def status(self, intent_id: bytes) -> frames.StatusReport:
        """Where an intent stands."""
        answer = self.ask(frames.FRAME_TYPE_STATUS, frames.Status(intent_id=intent_id))
        assert isinstance(answer, frames.StatusReport), answer
        return answer

    def close(self) -> None:
        """Ends the session."""
        self._client.close()


class RawSession:
    """An honest session whose frames a test may spoil before they leave."""

    def __init__(
        self, mesh: Mesh, *, shake_hands: bool = True, key: ClientKey | None = None
    ) -> None:
        found = keys.read_fastpath_key(mesh.home.root, "scavenger")
        self.key = key or ClientKey(found.key_id, found.principal, found.secret)
        self.clock = SystemClock()
        self.wire = SessionWire(
            self.key,
            ContractHandshake(),
            SystemRng().randbytes(16),
            load_policy(mesh.home.policy).hash,
        )
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(CALL_S)
        self.socket.connect(str(mesh.home.run / "execution.sock"))
        if shake_hands:
            self.socket.sendall(self.wire.hello(b"", self.clock.boottime_ns()))
            challenge = self.read_frame()
            assert challenge is not None
            self.socket.sendall(
                self.wire.answer_challenge(challenge, "test", self.clock.boottime_ns())
            )
            ready = self.read_frame()
            assert ready is not None
            self.wire.ready(ready)

    def seal(self, frame_type: int, payload: bytes) -> bytes:
        """A good frame under the next counter."""
        return self.wire.request(frame_type, payload, self.clock.boottime_ns())

    def read_frame(self) -> Any:
        """The next frame; None when the server closed."""
        while (frame := self.wire.next_frame()) is None:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.wire.feed(data)
        return frame

    def answer(self) -> tuple[int, bytes]:
        """(type, payload) of the server's next answer, its MAC and counter checked."""
        frame = self.read_frame()
        assert frame is not None, "the server closed"
        # A refusal may answer bytes that were no request of this session.
        self.wire.unanswered = max(self.wire.unanswered, 1)
        return self.wire.answer(frame)

    def refusal(self) -> frames.Refused:
        """The server's refusal."""
        kind, payload = self.answer()
        assert kind == frames.FRAME_TYPE_REFUSED, kind
        return frames.Refused.FromString(payload)

    def close(self) -> None:
        """Ends the connection."""
        self.socket.close()


class Edge:
    """Both doors of one mesh's Execution, and the Brain's wires."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.clock = SystemClock()
        self.ids = IdSource(self.clock, SystemRng())
        self.policy = load_policy(mesh.home.policy)
        self.market = PaperMarket(mesh.home.run / "venue.sock", mesh.home.root / "venue/orders.log")
        self.brain_epoch = 1
        self._lease_sequence = 0
        self._channels = {
            name: grpc.insecure_channel(
                mesh.address(name), options=[("grpc.max_reconnect_backoff_ms", 200)]
            )
            for name in ("execution", "brain")
        }
        edge, brain = self._channels["execution"], self._channels["brain"]
        self.orders = execution_service_pb2_grpc.ExecutionServiceStub(edge)
        self.control = execution_control_service_pb2_grpc.ExecutionControlServiceStub(edge)
        self.brain = brain_service_pb2_grpc.BrainServiceStub(brain)
        self.operator = operator_service_pb2_grpc.OperatorServiceStub(brain)

    def close(self) -> None:
        """Ends connections; the processes go on."""
        self.market.close()
        for channel in self._channels.values():
            channel.close()

    # ---- gRPC ----------------------------------------------------------------------------------

    def call(self, method: Any, request: Message, principal: str = "") -> Any:
        """One call; a failed one raises what the server meant."""
        metadata = []
        if principal:
            secret = keys.read_grpc_key(self.mesh.home.root, principal)
            metadata.append(("authorization", keys.token_of(principal, secret)))
        try:
            return method(request, timeout=CALL_S, metadata=metadata, wait_for_ready=True)
        except grpc.RpcError as fault:
            raise from_rpc_error(fault) from None  # type: ignore[arg-type]

    def describe(self) -> control_pb2.DescribeStateResponse:
        """The edge at a glance."""
        return self.call(self.control.DescribeState, control_pb2.DescribeStateRequest())

    def picture(self) -> tuple[object, ...]:
        """All of Execution's trading state that a wire shows, without what only time moves."""
        seen = self.describe()
        for name in ("lease_remaining_ns", "books", "sessions", "refused_total", "published_lsn"):
            seen.ClearField(name)
        positions = self.call(self.orders.ListPositions, execution_pb2.ListPositionsRequest())
        orders = self.call(self.orders.ListOrders, execution_pb2.ListOrdersRequest(page_size=1000))
        return seen, positions, orders

    def order(self, intent_id: bytes) -> execution_pb2.Order:
        """One order as the record knows it."""
        request = execution_pb2.GetOrderRequest(intent_id=intent_id)
        return self.call(self.orders.GetOrder, request).order

    def position(self) -> execution_pb2.PositionView:
        """Position of the symbol."""
        listed = self.call(self.orders.ListPositions, execution_pb2.ListPositionsRequest())
        (found,) = [p for p in listed.positions if p.symbol == SYMBOL]
        return found

    def reports(self, from_lsn: int = 1) -> list[execution_report_pb2.ExecutionReport]:
        """The journal from an LSN on."""
        request = execution_pb2.ReplayReportsRequest(from_lsn=from_lsn)
        stream = self.orders.ReplayReports(request, timeout=CALL_S)
        return [element.report for element in stream]

    def submit(self, intent: intent_pb2.IntentSignal, principal: str = "scavenger") -> Any:
        """SubmitIntent."""
        request = execution_pb2.SubmitIntentRequest(intent=intent)
        return self.call(self.orders.SubmitIntent, request, principal)

    # ---- as the Brain --------------------------------------------------------------------------

    def lease(self, **changes: object) -> lease_pb2.RiskLease:
        """The next lease of this test's Brain."""
        self._lease_sequence += 1
        facts: dict[str, object] = {
            "account": "paper-main",
            "policy_hash": self.policy.hash,
            "brain_epoch": self.brain_epoch,
            "lease_sequence": self._lease_sequence,
            "state": NORMAL,
            "ttl_ms": LONG_LEASE_MS,
            "truth_score": 100,
            "max_leverage_pct": 500,
            "max_gross_notional_nanos": 500_000 * 10**9,
            "budgets": [
                lease_pb2.PhaseBudget(
                    phase_id="scavenger", max_notional_nanos=200_000 * 10**9, allowed=True
                )
            ],
            "cause": trading_state_pb2.BREAKER_CAUSE_RECOVERED,
            "granted_at_ns": self.clock.unix_ns(),
            "halt_epoch": self.describe().halt_epoch,
            "min_score_open": 70,
        }
        return lease_pb2.RiskLease(**{**facts, **changes})  # type: ignore[arg-type]

    def grant(self, **changes: object) -> control_pb2.GrantLeaseResponse:
        """Grants a lease: 60 s NORMAL unless a test says otherwise."""
        request = control_pb2.GrantLeaseRequest(lease=self.lease(**changes))
        return self.call(self.control.GrantLease, request, "brain")

    # ---- trading -------------------------------------------------------------------------------

    def quote(self) -> None:
        """A fresh book at the venue and at the gate, behind a reconciled venue link."""
        until("the venue is reconciled", lambda: self.describe().venues[0].reconciled)
        update_id = self.market.quote()
        until("the book is at the gate", lambda: self._book_is(update_id))

    def open(self) -> None:
        """Everything a good order needs: lease, link, book."""
        self.grant()
        self.quote()

    def intent(self, **changes: object) -> intent_pb2.IntentSignal:
        """A good intent: buys at the ask, at once or never."""
        facts: dict[str, object] = {
            "intent_id": self.ids.intent_id(),
            "policy_hash": self.policy.hash,
            "phase_id": "scavenger",
            "account": "paper-main",
            "symbol": SYMBOL,
            "instrument_version": 1,
            "side": order_pb2.SIDE_BUY,
            "order_type": order_pb2.ORDER_TYPE_LIMIT,
            "time_in_force": order_pb2.TIME_IN_FORCE_IOC,
            "qty_lots": LOTS,
            "price_ticks": ASK_TICKS,
            "created_at_ns": self.clock.unix_ns(),
            "expires_at_boottime_ns": self.clock.boottime_ns() + TTL_NS,
            "rule": "test",
            "inputs": [intent_pb2.SignalInput(name="ofi_10s", value="0.25")],
        }
        return intent_pb2.IntentSignal(**{**facts, **changes})  # type: ignore[arg-type]

    @contextmanager
    def fastpath(
        self, principal: str = "scavenger", policy_hash: bytes | None = None
    ) -> Iterator[FastPath]:
        """A session that ends with the block."""
        session = FastPath(
            self.mesh, principal, self.policy.hash if policy_hash is None else policy_hash
        )
        try:
            yield session
        finally:
            session.close()

    def trade(self) -> execution_pb2.Order:
        """One good order through FastPath, filled; proof that the mesh trades."""
        self.open()
        intent = self.intent()
        with self.fastpath() as session:
            answer = session.submit(intent)
        assert isinstance(answer, frames.Accepted), answer
        return self.ends(intent.intent_id, order_pb2.INTENT_STATE_FILLED)

    def ends(self, intent_id: bytes, state: int) -> execution_pb2.Order:
        """The order once its intent reached that state."""
        seen = [self.order(intent_id)]

        def reached() -> bool:
            seen[0] = self.order(intent_id)
            return seen[0].intent_state == state

        name = order_pb2.IntentState.Name(state)  # type: ignore[arg-type]
        until(f"the intent is {name}", reached, seen=lambda: seen[0])
        return seen[0]

    def _book_is(self, update_id: int) -> bool:
        return any(
            book.symbol == SYMBOL and book.live and book.update_id >= update_id
            for book in self.describe().books
        )
