"""Slow twin of the frame reader: judges a whole stream at once, from docs/FASTPATH.md alone."""

from __future__ import annotations

HEADER = 28
AROUND = 92
LARGEST = 65536


def encode(
    frame_type: int, key_id: int, counter: int, ts_ns: int, *, policy_hash: bytes, payload: bytes
) -> bytes:
    """A frame with 32 zero bytes for a MAC."""
    return b"".join(
        [
            b"TTN1",
            bytes([1, frame_type]),
            key_id.to_bytes(2, "little"),
            len(payload).to_bytes(4, "little"),
            counter.to_bytes(8, "little"),
            ts_ns.to_bytes(8, "little", signed=True),
            policy_hash,
            payload,
            bytes(32),
        ]
    )


def decode(stream: bytes) -> tuple[list[tuple[int, int, int, int, bytes, bytes, bytes]], str]:
    """(frames, what stops the reading): FRAME_MORE when it is only the end of the bytes."""
    frames = []
    while True:
        if not b"TTN1".startswith(stream[:4]):
            return frames, "FRAME_BAD_MAGIC"
        if len(stream) > 4 and stream[4] != 1:
            return frames, "FRAME_BAD_VERSION"
        if len(stream) < HEADER:
            return frames, "FRAME_MORE"
        size = int.from_bytes(stream[8:12], "little")
        if size > LARGEST:
            return frames, "FRAME_OVERSIZE"
        if len(stream) < AROUND + size:
            return frames, "FRAME_MORE"
        frames.append(
            (
                stream[5],
                int.from_bytes(stream[6:8], "little"),
                int.from_bytes(stream[12:20], "little"),
                int.from_bytes(stream[20:28], "little", signed=True),
                stream[28:60],
                stream[60 : 60 + size],
                stream[60 + size : AROUND + size],
            )
        )
        stream = stream[AROUND + size :]
