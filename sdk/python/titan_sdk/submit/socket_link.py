"""The Link over Execution's Unix socket: titan_mesh's FastPath client with the SDK's own messages.

Owns the handshake payloads and the translation of faults. Must never retry or know an intent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from titan_mesh.clock import Clock
from titan_mesh.fastpath import ClientKey, FastPathClient, FastPathError, ReadyFacts, Session
from titan_mesh.ids import Rng
from titan_mesh.keys import FastPathKey

from titan_sdk._pb import hot
from titan_sdk._pb.titan.fastpath import v1 as fp
from titan_sdk.submit.link import Frame, LinkLost, LinkReady
from titan_sdk.vocabulary import TradingState

CLIENT_BUILD = "titan-sdk/0.1.0"


class SdkHandshake:
    """HandshakeCodec over the SDK's message family."""

    def hello(self, principal: str, client_nonce: bytes, identity: bytes) -> bytes:
        """titan.fastpath.v1.Hello."""
        return hot.encode_hello(
            fp.Hello(principal=principal, client_nonce=client_nonce, identity=identity)
        )

    def proof(self, client_build: str) -> bytes:
        """titan.fastpath.v1.Proof."""
        return hot.encode_proof(fp.Proof(client_build=client_build))

    def server_nonce(self, challenge: bytes) -> bytes:
        """server_nonce of a Challenge."""
        return hot.decode_challenge(challenge).server_nonce

    def ready(self, payload: bytes) -> ReadyFacts:
        """A Ready."""
        told = hot.decode_ready(payload)
        return ReadyFacts(
            told.policy_hash,
            told.exec_epoch,
            told.account,
            int(told.state),
            told.boottime_ns,
            told.identity,
        )


class SocketLink:
    """Link of one phase; each wait for an answer is bounded."""

    def __init__(
        self,
        path: Path,
        key: FastPathKey,
        policy_hash: bytes,
        *,
        clock: Clock,
        rng: Rng,
        answer_timeout_ns: int,
    ) -> None:
        self._client = FastPathClient(
            path,
            ClientKey(key.key_id, key.principal, key.secret),
            SdkHandshake(),
            clock,
            rng,
            session=Session(policy_hash=policy_hash, client_build=CLIENT_BUILD),
        )
        self._clock = clock
        self._answer_timeout_ns = answer_timeout_ns

    def open(self) -> LinkReady:
        """Connect and shake hands."""
        try:
            facts = self._client.connect(self._answer_timeout_ns)
        except FastPathError as fault:
            raise LinkLost(fault.code, fault.message) from None
        return LinkReady(
            facts.policy_hash, facts.exec_epoch, facts.account, TradingState(facts.state)
        )

    def exchange(self, requests: Sequence[Frame]) -> list[Frame]:
        """Send all, then read one answer for each."""
        deadline_ns = self._clock.boottime_ns() + self._answer_timeout_ns
        try:
            answers = self._client.exchange(requests, deadline_ns)
        except FastPathError as fault:
            raise LinkLost(fault.code, fault.message) from None
        return [(fp.FrameType(kind), payload) for kind, payload in answers]

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()
