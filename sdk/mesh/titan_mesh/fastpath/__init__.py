"""The FastPath client: frames, MACs and one session with Execution, at the level of bytes.

Owns the wire of docs/FASTPATH.md on the client's side. Must never know a strategy or an intent.
"""

from titan_mesh.fastpath.client import FastPathClient, Session
from titan_mesh.fastpath.errors import FastPathError
from titan_mesh.fastpath.handshake import HandshakeCodec, ReadyFacts
from titan_mesh.fastpath.session import ClientKey

__all__ = [
    "ClientKey",
    "FastPathClient",
    "FastPathError",
    "HandshakeCodec",
    "ReadyFacts",
    "Session",
]
