"""Slow twin of keys and MACs: the standard library's hmac, written as the formulas read."""

from __future__ import annotations

import hmac


def frame_mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256(key, "titan.frame.v1" NUL data)."""
    return hmac.digest(key, b"titan.frame.v1\x00" + data, "sha256")


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869, first 32 bytes."""
    extracted = hmac.digest(salt, key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def session_key(
    secret: bytes, principal: str, client_nonce: bytes, server_nonce: bytes, direction: str
) -> bytes:
    """The key of one direction."""
    return hkdf(
        secret, client_nonce + server_nonce, f"titan/uds/v1|{principal}|{direction}".encode()
    )
