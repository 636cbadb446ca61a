"""A slow twin of Execution's FastPath side, behind the Link port, that can fail at any request.

It keeps what the order-safety rules demand: PREPARE is volatile, CONFIRM is durable before its
answer, all is idempotent by intent_id, nothing is tied to a connection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from titan_mesh.clock import ManualClock
from titan_sdk._pb import hot
from titan_sdk._pb.titan.fastpath import v1 as fp
from titan_sdk._pb.titan.trading.v1 import Rejection
from titan_sdk.orders import Accepted, Outcome, Rejected, Stamps
from titan_sdk.submit.link import Frame, LinkLost, LinkReady
from titan_sdk.vocabulary import IntentState, RejectReason, TradingState

POLICY = bytes(range(32))
ACCOUNT = "paper-main"


@dataclass
class Twin:
    """The server; `fault(number)` fails a request before ("lost") or after ("done") it acts."""

    clock: ManualClock
    log_path: Path
    policy_hash: bytes = POLICY
    account: str = ACCOUNT
    up: bool = True
    fault: Callable[[int], str] = field(default=lambda number: "")
    deny: dict[bytes, RejectReason] = field(default_factory=dict)
    prepared: dict[bytes, bytes] = field(default_factory=dict)
    confirmed: dict[bytes, int] = field(default_factory=dict)
    confirms: list[bytes] = field(default_factory=list)
    cancelled: list[bytes] = field(default_factory=list)
    aborted: list[bytes] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    opens: int = 0
    requests: int = 0
    connected: bool = False

    def open(self) -> LinkReady:
        self.opens += 1
        if not self.up:
            raise LinkLost("CONNECT_FAILED", "no listener")
        self.connected = True
        return LinkReady(self.policy_hash, 1, self.account, TradingState.NORMAL)

    def close(self) -> None:
        self.connected = False

    def restart(self) -> None:
        """A crash: reservations are lost, confirmed intents are not."""
        self.prepared.clear()
        self.connected = False

    def exchange(self, requests: Sequence[Frame]) -> list[Frame]:
        assert self.connected
        answers = []
        lost = False
        for kind, payload in requests:
            self.requests += 1
            what = self.fault(self.requests)
            if what == "lost" or lost or not self.up:
                raise LinkLost("EOF", "connection lost")
            answer = self._act(kind, payload)
            lost = what == "done"
            answers.append(answer)
        if lost:
            raise LinkLost("ANSWER_TIMEOUT", "no answer")
        return answers

    def _act(self, kind: fp.FrameType, payload: bytes) -> Frame:
        act = {
            fp.FrameType.PREPARE: self._prepare,
            fp.FrameType.CONFIRM: self._confirm,
            fp.FrameType.STATUS: self._status,
            fp.FrameType.CANCEL: self._cancel,
            fp.FrameType.ABORT: self._abort,
            fp.FrameType.PING: lambda payload: (fp.FrameType.PONG, b""),
        }[kind]
        return act(payload)

    def _refuse(self, intent_id: bytes, reason: RejectReason) -> Frame:
        told = fp.Refused(intent_id=intent_id, rejection=Rejection(reason=reason, value=7, limit=5))
        return fp.FrameType.REFUSED, bytes(told)

    def _prepare(self, payload: bytes) -> Frame:
        signal = payload[-len(payload) + 1 :]
        size_bytes = 1 if signal[0] < 0x80 else 2
        signal = signal[size_bytes:]
        intent_id = signal[2:18]
        assert signal in self.log_path.read_bytes(), "PREPARE before the log had it"
        if intent_id in self.deny:
            return self._refuse(intent_id, self.deny[intent_id])
        known = self.prepared.get(intent_id)
        assert known is None or known == signal, "other content under the same id"
        self.prepared[intent_id] = signal
        told = fp.Prepared(intent_id=intent_id, token=len(self.prepared))
        return fp.FrameType.PREPARED, bytes(told)

    def _confirm(self, payload: bytes) -> Frame:
        intent_id = hot.decode_confirm(payload).intent_id
        if intent_id not in self.confirmed:
            if intent_id not in self.prepared:
                return self._refuse(intent_id, RejectReason.PREPARE_UNKNOWN)
            self.confirmed[intent_id] = len(self.confirmed) + 1
            self.confirms.append(intent_id)
        told = fp.Accepted(
            intent_id=intent_id,
            lsn=self.confirmed[intent_id],
            client_order_id=f"T1{intent_id.hex()[:8]}",
        )
        return fp.FrameType.ACCEPTED, bytes(told)

    def _status(self, payload: bytes) -> Frame:
        intent_id = hot.decode_status(payload).intent_id
        self.asked.append(intent_id)
        state = IntentState.UNSPECIFIED
        if intent_id in self.confirmed:
            state = IntentState.LIVE
        elif intent_id in self.prepared:
            state = IntentState.PREPARED
        told = fp.StatusReport(
            intent_id=intent_id, state=state, lsn=self.confirmed.get(intent_id, 0)
        )
        return fp.FrameType.STATUS_REPORT, bytes(told)

    def _cancel(self, payload: bytes) -> Frame:
        intent_id = hot.decode_cancel(payload).intent_id
        if intent_id not in self.confirmed:
            return self._refuse(intent_id, RejectReason.UNKNOWN_ORDER)
        self.cancelled.append(intent_id)
        return fp.FrameType.CANCEL_ACCEPTED, bytes(fp.CancelAccepted(intent_id=intent_id, lsn=1))

    def _abort(self, payload: bytes) -> Frame:
        intent_id = hot.decode_abort(payload).intent_id
        self.prepared.pop(intent_id, None)
        self.aborted.append(intent_id)
        return fp.FrameType.ABORTED, bytes(fp.Aborted(intent_id=intent_id))


@dataclass
class Results:
    """A Sink that keeps everything, and refuses a second outcome for an intent."""

    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    stamps: dict[bytes, Stamps] = field(default_factory=dict)
    links: list[tuple[bool, str]] = field(default_factory=list)
    cancel_refusals: list[tuple[bytes, Rejected]] = field(default_factory=list)

    def on_outcome(self, intent_id: bytes, outcome: Outcome, stamps: Stamps) -> None:
        assert intent_id not in self.outcomes, "two outcomes for one intent"
        self.outcomes[intent_id] = outcome
        self.stamps[intent_id] = stamps

    def on_cancel_refused(self, intent_id: bytes, denial: Rejected) -> None:
        self.cancel_refusals.append((intent_id, denial))

    def on_link(self, ready: LinkReady | None, detail: str) -> None:
        self.links.append((ready is not None, detail))

    def accepted(self) -> set[bytes]:
        return {i for i, outcome in self.outcomes.items() if isinstance(outcome, Accepted)}
