"""What the submission logic needs of a FastPath connection: payloads out, payloads back, in order.

Owns the port and its faults. Must never know frames, MACs or sockets (titan_mesh.fastpath), nor
intents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from titan_sdk._pb.titan.fastpath.v1 import FrameType
from titan_sdk.vocabulary import TradingState

Frame = tuple[FrameType, bytes]
"""(type, encoded titan.fastpath.v1 payload)."""


@dataclass(frozen=True, slots=True)
class LinkReady:
    """What Execution said when the session opened."""

    policy_hash: bytes
    exec_epoch: int
    account: str
    state: TradingState


class LinkLost(Exception):
    """The connection broke, refused, or did not answer in time: what was sent is in doubt."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Link(Protocol):
    """One blocking connection to Execution, used by one thread."""

    def open(self) -> LinkReady:
        """Connect and shake hands; LinkLost when that fails."""

    def exchange(self, requests: Sequence[Frame]) -> list[Frame]:
        """Send all requests, then read one answer for each, in order; LinkLost when any is
        missing.
        """

    def close(self) -> None:
        """Drop the connection; harmless when there is none."""
