"""Identities: UUIDv7 from an injected clock and an injected source of randomness.

Owns the layout of ids and the only access to the host's random bytes. Must never know what an id
names.
"""

from __future__ import annotations

import os
import random
from typing import Protocol

from titan_mesh.clock import Clock

_NS_PER_MS = 1_000_000
_RAND_A_BITS = 12
_RAND_B_BITS = 62
_VERSION = 7
_VARIANT = 0b10


class Rng(Protocol):
    """Where randomness comes from."""

    def randbytes(self, count: int) -> bytes:
        """That many random bytes."""
        ...


class SystemRng:
    """The host's cryptographic randomness."""

    def randbytes(self, count: int) -> bytes:
        """That many bytes of os.urandom."""
        return os.urandom(count)


class SeededRng:
    """Repeatable randomness for simulation and tests; never for keys."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def randbytes(self, count: int) -> bytes:
        """The next bytes of the seeded sequence."""
        return self._random.randbytes(count)


class IdSource:
    """UUIDv7 ids that strictly increase within one source, also when the clock steps back."""

    def __init__(self, clock: Clock, rng: Rng) -> None:
        self._clock = clock
        self._rng = rng
        self._last_ms = -1
        self._sequence = 0

    def intent_id(self) -> bytes:
        """A new intent_id, 16 bytes."""
        return self.uuid7()

    def event_id(self) -> bytes:
        """A new id for a record or an event, 16 bytes."""
        return self.uuid7()

    def uuid7(self) -> bytes:
        """48 bits of UNIX ms, version, 12 of sequence, variant, 62 random (RFC 9562, method 1)."""
        unix_ms = self._clock.unix_ns() // _NS_PER_MS
        if unix_ms > self._last_ms:
            self._last_ms = unix_ms
            # Half of the sequence space stays free for ids of the same millisecond.
            self._sequence = int.from_bytes(self._rng.randbytes(2), "big") >> 5
        else:
            self._sequence += 1
            if self._sequence >> _RAND_A_BITS:
                self._last_ms += 1
                self._sequence = 0
        tail = int.from_bytes(self._rng.randbytes(8), "big") >> (64 - _RAND_B_BITS)
        high = (self._last_ms << 16) | (_VERSION << _RAND_A_BITS) | self._sequence
        return ((high << 64) | (_VARIANT << _RAND_B_BITS) | tail).to_bytes(16, "big")


def unix_ms_of(uuid7: bytes) -> int:
    """The UNIX milliseconds that a UUIDv7 was made at."""
    return int.from_bytes(uuid7[:6], "big")
