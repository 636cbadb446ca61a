"""From a logged intent to Execution's promise: what to send next, and what an answer means.

Owns the table of open intents, the order log-before-PREPARE, STATUS after every doubt, and the
back-off. Runs on one
thread that the caller provides. Must never know strategies, the bus or how frames are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from titan_mesh.clock import Clock
from titan_mesh.fastpath.backoff import Backoff

from titan_sdk._pb import hot
from titan_sdk._pb.titan.fastpath.v1 import FrameType
from titan_sdk.intent import Identity
from titan_sdk.orders import Accepted, Outcome, Rejected, Stamps
from titan_sdk.submit import payloads
from titan_sdk.submit.intent_log import IntentLog, LoggedIntent, OpenIntent, Verdict
from titan_sdk.submit.link import Frame, Link, LinkLost, LinkReady
from titan_sdk.vocabulary import IntentState, RejectReason

MAX_ATTEMPTS = 3
_RESERVATION_GONE = frozenset({RejectReason.PREPARE_UNKNOWN, RejectReason.PREPARE_EXPIRED})
_ORDER_ENDED = frozenset({RejectReason.TOO_LATE, RejectReason.UNKNOWN_ORDER})
_NOT_DURABLE = frozenset({IntentState.UNSPECIFIED, IntentState.PREPARED})
_LIVE = frozenset(
    {IntentState.CONFIRMED, IntentState.SENDING, IntentState.UNKNOWN, IntentState.LIVE}
)


class Stage(Enum):
    """Where an intent stands on our side."""

    LOGGED = "logged"
    IN_DOUBT = "in_doubt"
    ACCEPTED = "accepted"


class Sink(Protocol):
    """Who hears of results; called on the submitting thread."""

    def on_outcome(self, intent_id: bytes, outcome: Outcome, stamps: Stamps) -> None:
        """A submission ended."""

    def on_cancel_refused(self, intent_id: bytes, denial: Rejected) -> None:
        """A cancel was refused while the order may still work; it may be asked again."""

    def on_link(self, ready: LinkReady | None, detail: str) -> None:
        """The link came up (ready) or went down (None, with why)."""


@dataclass(slots=True)
class _Entry:
    logged: LoggedIntent
    stage: Stage = Stage.LOGGED
    inherited: bool = False
    attempts: int = 0
    stamps: Stamps = field(default_factory=Stamps)


class Submissions:
    """The open intents of one phase."""

    def __init__(
        self,
        link: Link,
        log: IntentLog,
        identity: Identity,
        *,
        clock: Clock,
        backoff: Backoff,
        sink: Sink,
        cancel_inherited: bool,
    ) -> None:
        self._link = link
        self._log = log
        self._identity = identity
        self._clock = clock
        self._backoff = backoff
        self._sink = sink
        self._cancel_inherited = cancel_inherited
        self._entries: dict[bytes, _Entry] = {}
        self._cancels: dict[bytes, None] = {}
        self._ready: LinkReady | None = None
        self._retry_at_ns = 0
        self.refused_detail = ""
        for item in list(log.open.values()):
            self._inherit(item)

    def _inherit(self, item: OpenIntent) -> None:
        self._entries[item.logged.intent_id] = _Entry(item.logged, Stage.IN_DOUBT, inherited=True)

    # -- commands --------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """True while a session is open."""
        return self._ready is not None

    @property
    def unresolved(self) -> int:
        """Intents whose submission has not ended."""
        return sum(entry.stage is not Stage.ACCEPTED for entry in self._entries.values())

    @property
    def idle(self) -> bool:
        """True when nothing waits to be sent or asked."""
        return self.unresolved == 0 and not self._cancels

    def add(self, batch: Sequence[LoggedIntent]) -> None:
        """Make a batch durable; only pump() sends."""
        if not batch:
            return
        self._log.append_intents(batch)
        logged_ns = self._clock.boottime_ns()
        for item in batch:
            self._entries[item.intent_id] = _Entry(item, stamps=Stamps(logged_ns=logged_ns))

    def add_cancel(self, intent_id: bytes) -> None:
        """Cancel an order as soon as its intent is accepted; repeated until answered."""
        if intent_id in self._entries:
            self._cancels[intent_id] = None

    def add_closed(self, intent_id: bytes) -> None:
        """An order has ended: forget it, here and in the log."""
        self._cancels.pop(intent_id, None)
        if self._entries.pop(intent_id, None) is not None:
            self._log.append_closed(intent_id)

    # -- work ------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Do all that can be done now: connect, ask, prepare, confirm, cancel."""
        self._drop_expired()
        if not self.connected and not self._connect():
            return
        try:
            self._ask_in_doubt()
            self._submit()
            self._cancel()
        except LinkLost as lost:
            self._lose(lost)
        except hot.HotCodecError as fault:
            self._lose(LinkLost("PAYLOAD_MALFORMED", str(fault)))

    def ping(self) -> None:
        """Notice a dead server while nothing else is sent."""
        if not self.connected:
            return
        try:
            self._link.exchange([payloads.ping(1)])
        except LinkLost as lost:
            self._lose(lost)

    def wait_ns(self, idle_ns: int) -> int:
        """How long the thread may sleep when no command comes."""
        if self.connected:
            return 0 if self._has_work() else idle_ns
        return max(min(idle_ns, self._retry_at_ns - self._clock.boottime_ns()), 0)

    def _has_work(self) -> bool:
        open_stages = any(entry.stage is not Stage.ACCEPTED for entry in self._entries.values())
        return open_stages or any(self._may_cancel(intent_id) for intent_id in self._cancels)

    def _may_cancel(self, intent_id: bytes) -> bool:
        return self._entries[intent_id].stage is Stage.ACCEPTED

    def now_ns(self) -> int:
        """CLOCK_BOOTTIME."""
        return self._clock.boottime_ns()

    def close(self) -> None:
        """Close the link and the log."""
        self._link.close()
        self._log.close()

    # -- link ------------------------------------------------------------------------------------

    def _connect(self) -> bool:
        if self._clock.boottime_ns() < self._retry_at_ns:
            return False
        try:
            ready = self._link.open()
        except LinkLost as lost:
            self._lose(lost)
            return False
        if (
            ready.policy_hash != self._identity.policy_hash
            or ready.account != self._identity.account
        ):
            self._refuse_all(ready)
            return False
        self._ready = ready
        self._backoff.reset()
        self.refused_detail = ""
        self._sink.on_link(ready, "")
        return True

    def _lose(self, lost: LinkLost) -> None:
        self._link.close()
        self._ready = None
        self._retry_at_ns = self._clock.boottime_ns() + self._backoff.after_failure_ns()
        self._sink.on_link(None, str(lost))

    def _refuse_all(self, ready: LinkReady) -> None:
        """Another policy or account is in force: nothing made under ours may be sent."""
        other_policy = ready.policy_hash != self._identity.policy_hash
        reason = RejectReason.POLICY_HASH_MISMATCH if other_policy else RejectReason.UNKNOWN_ACCOUNT
        held = ready.policy_hash.hex()[:16] if other_policy else ready.account
        self.refused_detail = f"{reason.name}: Execution has {held}"
        denial = Rejected(
            reason,
            field="policy_hash" if other_policy else "account",
            hint="Load the policy in force (titan policy hash) and start the phase again.",
            local=True,
        )
        for entry in self._in(Stage.LOGGED):
            self._finish(entry, denial, Verdict.REFUSED)
        self._lose(LinkLost(reason.name, self.refused_detail))

    # -- intents ---------------------------------------------------------------------------------

    def _in(self, stage: Stage) -> list[_Entry]:
        return [entry for entry in self._entries.values() if entry.stage is stage]

    def _expired(self, entry: _Entry) -> bool:
        return self._clock.boottime_ns() >= entry.logged.expires_at_boottime_ns

    def _drop_expired(self) -> None:
        for entry in self._in(Stage.LOGGED):
            if self._expired(entry):
                self._finish(entry, self._expiry(entry), Verdict.EXPIRED)

    def _expiry(self, entry: _Entry) -> Rejected:
        return Rejected(
            RejectReason.INTENT_EXPIRED,
            value=self._clock.boottime_ns(),
            limit=entry.logged.expires_at_boottime_ns,
            field="expires_at_boottime_ns",
            hint="The link was down for longer than the intent's TTL.",
            local=True,
        )

    def _finish(self, entry: _Entry, outcome: Outcome, verdict: Verdict) -> None:
        intent_id = entry.logged.intent_id
        lsn = outcome.lsn if isinstance(outcome, Accepted) else 0
        text = outcome.reason.name if isinstance(outcome, Rejected) else ""
        self._log.append_outcome(intent_id, verdict, lsn, text or "")
        if verdict is Verdict.ACCEPTED:
            entry.stage = Stage.ACCEPTED
            entry.stamps = replace(entry.stamps, accepted_ns=self._clock.boottime_ns())
        else:
            del self._entries[intent_id]
            self._cancels.pop(intent_id, None)
        self._sink.on_outcome(intent_id, outcome, entry.stamps)

    def _ask_in_doubt(self) -> None:
        doubtful = self._in(Stage.IN_DOUBT)
        asked = [payloads.status(entry.logged.intent_id) for entry in doubtful]
        for entry, (kind, payload) in zip(doubtful, self._exchange(asked), strict=True):
            if kind is not FrameType.STATUS_REPORT:
                raise LinkLost("ANSWER_UNEXPECTED", f"{kind.name} to STATUS")
            self._resolve(entry, *payloads.read_status(payload))

    def _resolve(self, entry: _Entry, state: IntentState, promise: Accepted) -> None:
        intent_id = entry.logged.intent_id
        if state not in _NOT_DURABLE:
            self._finish(entry, promise, Verdict.ACCEPTED)
            if entry.inherited and state not in _LIVE:
                self.add_closed(intent_id)
            elif entry.inherited and self._cancel_inherited:
                self.add_cancel(intent_id)
        elif entry.inherited:
            # The strategy that wished it is gone; nobody would watch the order.
            if state is IntentState.PREPARED:
                self._exchange([payloads.abort(intent_id)])
            denial = Rejected(
                RejectReason.INTENT_EXPIRED, hint="The phase was restarted.", local=True
            )
            self._finish(entry, denial, Verdict.ABANDONED)
        elif self._expired(entry):
            self._finish(entry, self._expiry(entry), Verdict.EXPIRED)
        else:
            entry.stage = Stage.LOGGED

    def _submit(self) -> None:
        fresh = self._in(Stage.LOGGED)
        if not fresh:
            return
        frames = [payloads.prepare(entry.logged.payload) for entry in fresh]
        for entry in fresh:
            entry.stage = Stage.IN_DOUBT
            entry.attempts += 1
        reserved: list[tuple[_Entry, int]] = []
        for entry, (kind, payload) in zip(fresh, self._exchange(frames), strict=True):
            if kind is FrameType.PREPARED:
                entry.stamps = replace(entry.stamps, prepared_ns=self._clock.boottime_ns())
                reserved.append((entry, payloads.read_token(payload)))
            else:
                self._denied(entry, kind, payload)
        self._confirm(reserved)

    def _confirm(self, reserved: list[tuple[_Entry, int]]) -> None:
        frames = [payloads.confirm(entry.logged.intent_id, token) for entry, token in reserved]
        for (entry, _), (kind, payload) in zip(reserved, self._exchange(frames), strict=True):
            if kind is FrameType.ACCEPTED:
                self._finish(entry, payloads.read_accepted(payload), Verdict.ACCEPTED)
            else:
                self._denied(entry, kind, payload)

    def _denied(self, entry: _Entry, kind: FrameType, payload: bytes) -> None:
        if kind is not FrameType.REFUSED:
            raise LinkLost("ANSWER_UNEXPECTED", kind.name or str(int(kind)))
        denial = payloads.read_refused(payload)
        retry = denial.reason in _RESERVATION_GONE and entry.attempts < MAX_ATTEMPTS
        if retry and not self._expired(entry):
            entry.stage = Stage.LOGGED
        else:
            self._finish(entry, denial, Verdict.REFUSED)

    def _cancel(self) -> None:
        ready = [intent_id for intent_id in self._cancels if self._may_cancel(intent_id)]
        frames = [payloads.cancel(intent_id) for intent_id in ready]
        for intent_id, (kind, payload) in zip(ready, self._exchange(frames), strict=True):
            if kind not in (FrameType.CANCEL_ACCEPTED, FrameType.REFUSED):
                raise LinkLost("ANSWER_UNEXPECTED", f"{kind.name} to CANCEL")
            self._cancels.pop(intent_id, None)
            if kind is FrameType.REFUSED:
                denial = payloads.read_refused(payload)
                if denial.reason not in _ORDER_ENDED:  # then its last report is on the way
                    self._sink.on_cancel_refused(intent_id, denial)

    def _exchange(self, frames: list[Frame]) -> list[Frame]:
        return self._link.exchange(frames) if frames else []
