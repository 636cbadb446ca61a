"""Session keys and frame MACs in Python: HKDF-SHA256 and HMAC-SHA256 with domain separation.

Owns the derivations of docs/FASTPATH.md. Must never know frames or sockets.
"""

from __future__ import annotations

import hashlib
import hmac

MAC_BYTES = 32
KEY_BYTES = 32
NONCE_BYTES = 16
DOMAIN = b"titan.frame.v1\0"
CLIENT_TO_SERVER = b"c2s"
SERVER_TO_CLIENT = b"s2c"
_BLOCK_BYTES = 64


class FrameMac:
    """HMAC-SHA256(key, DOMAIN || bytes) with the key schedule hashed once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + DOMAIN)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def sign(self, data: bytes) -> bytes:
        """The MAC of data."""
        inner = self._inner.copy()
        inner.update(data)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def verify(self, data: bytes, mac: bytes) -> bool:
        """Whether mac belongs to data, in constant time."""
        return hmac.compare_digest(self.sign(data), mac)


def hkdf_sha256(key: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA256 (RFC 5869), which is one block."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), info + b"\x01", "sha256")


def session_key(
    secret: bytes, principal: str, client_nonce: bytes, server_nonce: bytes, direction: bytes
) -> bytes:
    """The key of one direction of one session."""
    info = b"titan/uds/v1|" + principal.encode() + b"|" + direction
    return hkdf_sha256(secret, client_nonce + server_nonce, info)
