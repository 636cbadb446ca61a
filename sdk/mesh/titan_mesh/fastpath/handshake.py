"""The payloads of the handshake as the client needs them: a port that either family fits.

Owns the port. Must never import a message family; contract.py is the one over titan-contracts.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

HELLO = 1
PROOF = 2
CHALLENGE = 64
READY = 65
REFUSED = 127


class ReadyFacts(NamedTuple):
    """What the server said when the session opened."""

    policy_hash: bytes
    exec_epoch: int
    account: str
    state: int
    boottime_ns: int
    identity: bytes


class HandshakeCodec(Protocol):
    """Encodes what is sent, decodes what is got; ValueError for bytes that do not parse."""

    def hello(self, principal: str, client_nonce: bytes, identity: bytes) -> bytes:
        """titan.fastpath.v1.Hello."""
        ...

    def proof(self, client_build: str) -> bytes:
        """titan.fastpath.v1.Proof."""
        ...

    def server_nonce(self, challenge: bytes) -> bytes:
        """server_nonce of a titan.fastpath.v1.Challenge."""
        ...

    def ready(self, payload: bytes) -> ReadyFacts:
        """A titan.fastpath.v1.Ready."""
        ...
