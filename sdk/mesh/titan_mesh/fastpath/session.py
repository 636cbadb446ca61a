"""The client's half of a session, without a socket: bytes in, bytes out.

Owns handshake order, keys, counters and what is still unanswered. Must never know sockets or time:
stamps are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from titan_mesh.fastpath import errors, handshake
from titan_mesh.fastpath.errors import FastPathError
from titan_mesh.fastpath.frame import HASH_BYTES, NO_MAC, Frame, FrameReader, encode_signed
from titan_mesh.fastpath.handshake import HandshakeCodec, ReadyFacts
from titan_mesh.fastpath.mac import (
    CLIENT_TO_SERVER,
    NONCE_BYTES,
    SERVER_TO_CLIENT,
    FrameMac,
    session_key,
)

NO_POLICY = bytes(HASH_BYTES)


@dataclass(frozen=True, slots=True, repr=False)
class ClientKey:
    """The long-lived secret of a principal, as titan_mesh.keys reads it."""

    key_id: int
    principal: str
    secret: bytes


class SessionWire:
    """One session from HELLO to its end; never used twice."""

    def __init__(
        self,
        key: ClientKey,
        codec: HandshakeCodec,
        client_nonce: bytes,
        policy_hash: bytes = NO_POLICY,
    ) -> None:
        self._key = key
        self._codec = codec
        self._client_nonce = client_nonce
        self._policy_hash = policy_hash
        self._reader = FrameReader()
        self._sign: FrameMac | None = None
        self._verify: FrameMac | None = None
        self._sent = 0
        self._received = 0
        self.unanswered = 0
        """Requests sent and not yet answered."""

    def hello(self, identity: bytes, ts_ns: int) -> bytes:
        """The first frame; unsigned, since there is no session key yet."""
        payload = self._codec.hello(self._key.principal, self._client_nonce, identity)
        signed = encode_signed(
            handshake.HELLO, self._key.key_id, 0, ts_ns, policy_hash=NO_POLICY, payload=payload
        )
        return signed + NO_MAC

    def answer_challenge(self, frame: Frame, client_build: str, ts_ns: int) -> bytes:
        """Derives both keys; returns PROOF, the first signed frame."""
        if frame.frame_type != handshake.CHALLENGE or frame.counter != 0:
            raise _fault(errors.FRAME_TYPE, "frame_type", frame.frame_type, handshake.CHALLENGE)
        nonce = self._codec.server_nonce(frame.payload)
        if len(nonce) != NONCE_BYTES:
            raise _fault(errors.PAYLOAD_MALFORMED, "server_nonce", len(nonce), NONCE_BYTES)
        ours = (self._key.secret, self._key.principal, self._client_nonce, nonce)
        self._sign = FrameMac(session_key(*ours, CLIENT_TO_SERVER))
        self._verify = FrameMac(session_key(*ours, SERVER_TO_CLIENT))
        return self._seal(handshake.PROOF, self._codec.proof(client_build), ts_ns)

    def ready(self, frame: Frame) -> ReadyFacts:
        """The server's first signed frame: only the holder of the key can have made it."""
        if frame.frame_type == handshake.REFUSED:
            # Signed under a key we may not share: believed only as far as giving up.
            raise _fault(errors.AUTH_FAILED, "key_id", self._key.key_id, "a key the server holds")
        try:
            self._check(frame)
        except FastPathError as fault:
            raise _fault(errors.SERVER_NOT_GENUINE, fault.field, fault.value, fault.limit) from None
        if frame.frame_type != handshake.READY:
            raise _fault(errors.FRAME_TYPE, "frame_type", frame.frame_type, handshake.READY)
        return self._codec.ready(frame.payload)

    def request(self, frame_type: int, payload: bytes, ts_ns: int) -> bytes:
        """A signed request under the next counter."""
        sealed = self._seal(frame_type, payload, ts_ns)
        self.unanswered += 1
        return sealed

    def answer(self, frame: Frame) -> tuple[int, bytes]:
        """(type, payload) of the answer to the oldest unanswered request."""
        self._check(frame)
        if self.unanswered == 0:
            raise _fault(errors.NOTHING_ASKED, "frame_type", frame.frame_type, "an open request")
        self.unanswered -= 1
        return frame.frame_type, frame.payload

    def feed(self, data: bytes) -> None:
        """Bytes from the socket."""
        self._reader.feed(data)

    def next_frame(self) -> Frame | None:
        """The next whole frame, unchecked."""
        return self._reader.next()

    def end(self) -> None:
        """The socket ended: FRAME_TRUNCATED inside a frame."""
        self._reader.end()

    def _seal(self, frame_type: int, payload: bytes, ts_ns: int) -> bytes:
        if self._sign is None:
            raise _fault(errors.NOT_CONNECTED, "session", "before CHALLENGE", "an open session")
        signed = encode_signed(
            frame_type,
            self._key.key_id,
            self._sent + 1,
            ts_ns,
            policy_hash=self._policy_hash,
            payload=payload,
        )
        self._sent += 1
        return signed + self._sign.sign(signed)

    def _check(self, frame: Frame) -> None:
        if self._verify is None or not self._verify.verify(frame.signed, frame.mac):
            raise _fault(errors.FRAME_MAC, "mac", frame.mac.hex()[:16], "the MAC of the frame")
        if frame.counter != self._received + 1:
            raise _fault(errors.FRAME_COUNTER, "counter", frame.counter, self._received + 1)
        self._received += 1


def _fault(code: str, field: str, value: object, limit: object) -> FastPathError:
    return FastPathError(
        code,
        "the server broke the protocol",
        field=field,
        value=value,
        limit=limit,
        hint="Check who listens on the socket; ask STATUS for what was sent.",
    )
