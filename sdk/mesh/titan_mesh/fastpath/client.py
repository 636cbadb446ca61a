"""A blocking FastPath connection: connect, prove, ask, read answers in order.

Owns the socket, deadlines and the time of the next attempt. Must never sleep, retry or know an
intent: whoever uses it decides when to try again and asks STATUS about what is in doubt.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from titan_mesh.clock import Clock
from titan_mesh.fastpath import errors
from titan_mesh.fastpath.backoff import Backoff
from titan_mesh.fastpath.errors import FastPathError
from titan_mesh.fastpath.frame import PAYLOAD_MAX, Frame
from titan_mesh.fastpath.handshake import HandshakeCodec, ReadyFacts
from titan_mesh.fastpath.mac import KEY_BYTES, NONCE_BYTES
from titan_mesh.fastpath.session import NO_POLICY, ClientKey, SessionWire
from titan_mesh.ids import Rng

SOCKET_PATH_MAX = 107
WINDOW_MAX = 1024
HANDSHAKE_NS = 250_000_000
_RECEIVE_BYTES = 65536
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Session:
    """What the client says about itself in every session."""

    policy_hash: bytes = NO_POLICY
    identity: bytes = b""
    client_build: str = ""


@dataclass(slots=True)
class FastPathMetrics:
    """Counts since the client was made; losses by code."""

    sessions: int = 0
    requests: int = 0
    answers: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    losses: Counter[str] = field(default_factory=Counter)


class FastPathClient:
    """One connection at a time, used by one thread. Any error of the wire closes it."""

    def __init__(
        self,
        path: Path,
        key: ClientKey,
        codec: HandshakeCodec,
        clock: Clock,
        rng: Rng,
        *,
        session: Session = Session(),
    ) -> None:
        if len(str(path).encode()) > SOCKET_PATH_MAX:
            raise FastPathError(
                errors.SOCKET_PATH_TOO_LONG,
                "the kernel takes no longer socket path",
                field="path",
                value=len(str(path).encode()),
                limit=SOCKET_PATH_MAX,
                hint="Choose a shorter TITAN_HOME.",
            )
        if len(key.secret) != KEY_BYTES:
            raise FastPathError(
                errors.AUTH_FAILED, "a FastPath key has 32 bytes", "key", len(key.secret), KEY_BYTES
            )
        self._path = path
        self._key = key
        self._codec = codec
        self._clock = clock
        self._rng = rng
        self._session = session
        self._backoff = Backoff(rng)
        self._socket: socket.socket | None = None
        self._wire: SessionWire | None = None
        self.metrics = FastPathMetrics()
        self.next_attempt_at = 0
        """Earliest CLOCK_BOOTTIME, ns, at which another connect() is fair to the server."""

    @property
    def connected(self) -> bool:
        """Whether a session is open as far as this side knows."""
        return self._socket is not None

    @property
    def unanswered(self) -> int:
        """Requests sent in this session and not yet answered."""
        return self._wire.unanswered if self._wire else 0

    def connect(self, timeout_ns: int = HANDSHAKE_NS) -> ReadyFacts:
        """Connect and shake hands; what the server said of itself."""
        self.close()
        deadline = self._clock.boottime_ns() + timeout_ns
        try:
            ready = self._open(deadline)
        except FastPathError:
            self.next_attempt_at = self._clock.boottime_ns() + self._backoff.after_failure_ns()
            raise
        self._backoff.reset()
        self.metrics.sessions += 1
        return ready

    def request(self, frame_type: int, payload: bytes, deadline_ns: int) -> tuple[int, bytes]:
        """Send one request and read its answer before deadline_ns (CLOCK_BOOTTIME)."""
        return self.exchange(((frame_type, payload),), deadline_ns)[0]

    def exchange(
        self, requests: Sequence[tuple[int, bytes]], deadline_ns: int
    ) -> list[tuple[int, bytes]]:
        """Send all requests in one write, then read one answer for each, in order."""
        self.send(requests, deadline_ns)
        return [self.receive(deadline_ns) for _ in requests]

    def send(self, requests: Sequence[tuple[int, bytes]], deadline_ns: int) -> None:
        """Send requests without waiting for answers: receive() reads them, in order."""
        wire = self._open_wire()
        _check_sendable(requests, wire.unanswered)
        ts_ns = self._clock.boottime_ns()
        data = b"".join([wire.request(kind, payload, ts_ns) for kind, payload in requests])
        try:
            self._write(data, deadline_ns)
        except FastPathError as fault:
            raise self._lose(fault) from None
        self.metrics.requests += len(requests)

    def receive(self, deadline_ns: int) -> tuple[int, bytes]:
        """The answer to the oldest unanswered request."""
        wire = self._open_wire()
        try:
            answer = wire.answer(self._read_frame(wire, deadline_ns))
        except FastPathError as fault:
            raise self._lose(fault) from None
        self.metrics.answers += 1
        return answer

    def close(self) -> None:
        """Drop the connection; harmless when there is none."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._wire = None

    def _open(self, deadline_ns: int) -> ReadyFacts:
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._left(deadline_ns))
            self._socket.connect(str(self._path))
        except OSError as fault:
            raise self._lose(
                FastPathError(
                    errors.CONNECT_FAILED,
                    "nobody listens on the socket",
                    field="path",
                    value=self._path,
                    limit=fault.strerror or "in time",
                    hint="Start Execution; see `titan status`.",
                )
            ) from None
        key, nonce = self._key, self._rng.randbytes(NONCE_BYTES)
        wire = SessionWire(key, self._codec, nonce, self._session.policy_hash)
        try:
            self._write(wire.hello(self._session.identity, self._clock.boottime_ns()), deadline_ns)
            challenge = self._read_frame(wire, deadline_ns)
            build = self._session.client_build
            proof = wire.answer_challenge(challenge, build, self._clock.boottime_ns())
            self._write(proof, deadline_ns)
            ready = wire.ready(self._read_frame(wire, deadline_ns))
        except ValueError as fault:
            raise self._lose(
                FastPathError(
                    errors.PAYLOAD_MALFORMED, "the server's handshake does not parse", value=fault
                )
            ) from None
        except FastPathError as fault:
            if fault.code in (errors.CONNECTION_LOST, errors.FRAME_TRUNCATED):
                raise self._lose(_not_let_in(key)) from None
            raise self._lose(fault) from None
        self._wire = wire
        return ready

    def _open_wire(self) -> SessionWire:
        if self._wire is None:
            raise FastPathError(
                errors.NOT_CONNECTED, "there is no session", "session", hint="Call connect()."
            )
        return self._wire

    def _read_frame(self, wire: SessionWire, deadline_ns: int) -> Frame:
        while (frame := wire.next_frame()) is None:
            wire.feed(self._read(wire, deadline_ns))
        return frame

    def _read(self, wire: SessionWire, deadline_ns: int) -> bytes:
        assert self._socket is not None
        try:
            self._socket.settimeout(self._left(deadline_ns))
            data = self._socket.recv(_RECEIVE_BYTES)
        except OSError as fault:
            raise self._socket_fault(fault, deadline_ns) from None
        if not data:
            wire.end()
            raise self._socket_fault(ConnectionResetError("closed by the server"), deadline_ns)
        self.metrics.bytes_received += len(data)
        return data

    def _write(self, data: bytes, deadline_ns: int) -> None:
        assert self._socket is not None
        try:
            self._socket.settimeout(self._left(deadline_ns))
            self._socket.sendall(data)
        except OSError as fault:
            raise self._socket_fault(fault, deadline_ns) from None
        self.metrics.bytes_sent += len(data)

    def _left(self, deadline_ns: int) -> float:
        left_ns = deadline_ns - self._clock.boottime_ns()
        if left_ns <= 0:
            raise TimeoutError("deadline passed")
        return left_ns / _NS

    def _socket_fault(self, fault: OSError, deadline_ns: int) -> FastPathError:
        if isinstance(fault, TimeoutError):
            return FastPathError(
                errors.DEADLINE,
                "no answer in time",
                field="deadline_ns",
                value=deadline_ns,
                limit=self._clock.boottime_ns(),
                hint="Ask STATUS: the request may have been carried out.",
            )
        return FastPathError(
            errors.CONNECTION_LOST,
            "the connection broke",
            field="path",
            value=self._path,
            limit=fault.strerror or str(fault),
            hint="Connect again and ask STATUS.",
        )

    def _lose(self, fault: FastPathError) -> FastPathError:
        """No answer of this connection can be matched any more: it ends here."""
        self.metrics.losses[fault.code] += 1
        self.close()
        return fault


def _check_sendable(requests: Sequence[tuple[int, bytes]], unanswered: int) -> None:
    """Refuses before a counter moves: the session stays as it was."""
    if unanswered + len(requests) > WINDOW_MAX:
        raise FastPathError(
            errors.WINDOW_FULL,
            "too many unanswered requests",
            field="window",
            value=unanswered + len(requests),
            limit=WINDOW_MAX,
            hint="Read answers first.",
        )
    largest = max((len(payload) for _, payload in requests), default=0)
    if largest > PAYLOAD_MAX:
        raise FastPathError(
            errors.FRAME_OVERSIZE,
            "the payload does not fit a frame",
            field="payload",
            value=largest,
            limit=PAYLOAD_MAX,
            hint="Send less in one request.",
        )


def _not_let_in(key: ClientKey) -> FastPathError:
    return FastPathError(
        errors.AUTH_FAILED,
        "the server closed during the handshake",
        field="key_id",
        value=f"{key.key_id} ({key.principal})",
        limit="a key the server holds for this principal",
        hint="Use the key file of the same TITAN_HOME, or close other sessions.",
    )
