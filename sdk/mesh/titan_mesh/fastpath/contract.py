"""The handshake over titan-contracts (google protobuf): for services and tools.

Owns the translation. Must never be imported by titan_sdk, whose family is another one.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from titan.fastpath.v1 import frames_pb2

from titan_mesh.fastpath.handshake import ReadyFacts


class ContractHandshake:
    """HandshakeCodec over frames_pb2."""

    def hello(self, principal: str, client_nonce: bytes, identity: bytes) -> bytes:
        """titan.fastpath.v1.Hello."""
        message = frames_pb2.Hello(
            principal=principal, client_nonce=client_nonce, identity=identity
        )
        return message.SerializeToString()

    def proof(self, client_build: str) -> bytes:
        """titan.fastpath.v1.Proof."""
        return frames_pb2.Proof(client_build=client_build).SerializeToString()

    def server_nonce(self, challenge: bytes) -> bytes:
        """server_nonce of a Challenge."""
        try:
            return frames_pb2.Challenge.FromString(challenge).server_nonce
        except DecodeError as fault:
            raise ValueError(str(fault)) from None

    def ready(self, payload: bytes) -> ReadyFacts:
        """A Ready."""
        try:
            told = frames_pb2.Ready.FromString(payload)
        except DecodeError as fault:
            raise ValueError(str(fault)) from None
        return ReadyFacts(
            told.policy_hash,
            told.exec_epoch,
            told.account,
            told.state,
            told.boottime_ns,
            told.identity,
        )
