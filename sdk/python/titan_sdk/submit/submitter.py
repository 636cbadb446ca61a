"""The thread that submits: a bounded queue in, outcomes out, FastPath in between.

Owns the hand-over between the strategy's thread and the blocking link, and the back-pressure.
Must never know
strategies, the bus, or what an answer means (submission.py).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from titan_sdk.orders import Outcome, Rejected, Stamps
from titan_sdk.submit.intent_log import LoggedIntent
from titan_sdk.submit.link import LinkReady
from titan_sdk.submit.submission import Submissions

STOP_POLL_NS = 10_000_000
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class SubmitterSettings:
    """Bounds of the queue and of waiting."""

    capacity: int
    ping_interval_ns: int
    drain_ns: int


class Receiver(Protocol):
    """What the strategy's side does with results; each is called on the strategy's thread."""

    def on_outcome(self, intent_id: bytes, outcome: Outcome, stamps: Stamps) -> None:
        """A submission ended."""

    def on_cancel_refused(self, intent_id: bytes, denial: Rejected) -> None:
        """A cancel may be asked again."""

    def on_link(self, ready: LinkReady | None, detail: str) -> None:
        """The link changed."""

    def on_fatal(self, error: Exception) -> None:
        """The thread has ended: the intent log failed, or a bug."""


class Submitter:
    """Runs Submissions on a thread of its own. `post` carries a call to the strategy's thread."""

    def __init__(
        self,
        settings: SubmitterSettings,
        receiver: Receiver,
        post: Callable[[Callable[[], None]], None],
        publish: Callable[[str, bytes, bytes], None],
    ) -> None:
        self.capacity = settings.capacity
        self._settings = settings
        self._receiver = receiver
        self._post = post
        self._publish = publish
        self._wake = threading.Condition()
        self._intents: deque[LoggedIntent] = deque()
        self._cancels: deque[bytes] = deque()
        self._closed: deque[bytes] = deque()
        self._unresolved: set[bytes] = set()
        self._stopping = False
        self._thread: threading.Thread | None = None

    # -- the strategy's thread -------------------------------------------------------------------

    def start(self, submissions: Submissions) -> None:
        """Begin; `submissions` belongs to the thread from now on."""
        self._thread = threading.Thread(
            target=self._run, args=(submissions,), name="titan-submit", daemon=True
        )
        self._thread.start()

    def submit(self, item: LoggedIntent) -> bool:
        """Queue an intent; False when `capacity` intents have no outcome yet."""
        with self._wake:
            if len(self._unresolved) >= self.capacity or self._stopping:
                return False
            self._unresolved.add(item.intent_id)
            self._intents.append(item)
            self._wake.notify()
        return True

    def cancel(self, intent_id: bytes) -> None:
        """Queue a cancel; bounded by the orders there are."""
        with self._wake:
            self._cancels.append(intent_id)
            self._wake.notify()

    def closed(self, intent_id: bytes) -> None:
        """Note the end of an order; bounded by the orders there are."""
        with self._wake:
            self._closed.append(intent_id)
            self._wake.notify()

    def publish(self, symbol: str, intent_id: bytes, payload: bytes) -> None:
        """Pass on to the bus."""
        self._publish(symbol, intent_id, payload)

    def stop(self) -> None:
        """Finish what is queued within drain_ns, then end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(self._settings.drain_ns / _NS_PER_S + 5.0)

    # -- the submitting thread: also the Sink of Submissions -------------------------------------

    def on_outcome(self, intent_id: bytes, outcome: Outcome, stamps: Stamps) -> None:
        """Carry an outcome over; only its delivery frees the place in the queue."""
        self._post(lambda: self._deliver(intent_id, outcome, stamps))

    def _deliver(self, intent_id: bytes, outcome: Outcome, stamps: Stamps) -> None:
        with self._wake:
            self._unresolved.discard(intent_id)
        self._receiver.on_outcome(intent_id, outcome, stamps)

    def on_cancel_refused(self, intent_id: bytes, denial: Rejected) -> None:
        """Carry it over."""
        self._post(lambda: self._receiver.on_cancel_refused(intent_id, denial))

    def on_link(self, ready: LinkReady | None, detail: str) -> None:
        """Carry it over."""
        self._post(lambda: self._receiver.on_link(ready, detail))

    def _run(self, submissions: Submissions) -> None:
        try:
            self._loop(submissions)
        except Exception as error:
            failure = error
            self._post(lambda: self._receiver.on_fatal(failure))
        finally:
            submissions.close()

    def _loop(self, submissions: Submissions) -> None:
        settings = self._settings
        stop_at_ns = 0
        while True:
            wait_ns = submissions.wait_ns(settings.ping_interval_ns)
            woken = self._take(submissions, wait_ns)
            if not woken and wait_ns == settings.ping_interval_ns:
                submissions.ping()
            submissions.pump()
            if self._stopping:
                now_ns = submissions.now_ns()
                stop_at_ns = stop_at_ns or now_ns + settings.drain_ns
                if submissions.idle or now_ns >= stop_at_ns:
                    return

    def _take(self, submissions: Submissions, wait_ns: int) -> bool:
        """Move the queued commands over; False when none came in time."""
        with self._wake:
            if not (self._intents or self._cancels or self._closed):
                bound_ns = STOP_POLL_NS if self._stopping else wait_ns
                self._wake.wait(min(wait_ns, bound_ns) / _NS_PER_S)
            intents, self._intents = list(self._intents), deque()
            cancels, self._cancels = list(self._cancels), deque()
            closed, self._closed = list(self._closed), deque()
        submissions.add(intents)
        for intent_id in cancels:
            submissions.add_cancel(intent_id)
        for intent_id in closed:
            submissions.add_closed(intent_id)
        return bool(intents or cancels or closed)
