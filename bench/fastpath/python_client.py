"""The same two round trips through the Python client, as a phase makes them, payloads ready-made.

Owns one closed loop. Must never pin more than its own thread, and gives the CPUs back.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from titan.fastpath.v1 import frames_pb2 as frames
from titan_mesh.clock import SystemClock
from titan_mesh.fastpath import ClientKey, FastPathClient, Session
from titan_mesh.fastpath.contract import ContractHandshake
from titan_mesh.ids import IdSource, SystemRng
from titan_testkit.edge import Edge

PATIENCE_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Both steps in ns per order, sorted; and when each order was decided, UNIX ns, by its id."""

    took_ns: list[int]
    decided_ns: dict[str, int]


def measure(edge: Edge, socket: Path, key: ClientKey, count: int, cpu: int) -> Measured:
    """PREPARE and CONFIRM of `count` orders, one after the other, from a pinned thread."""
    clock = SystemClock()
    ids = IdSource(clock, SystemRng())
    session = Session(policy_hash=edge.policy.hash)
    client = FastPathClient(socket, key, ContractHandshake(), clock, SystemRng(), session=session)
    before = os.sched_getaffinity(0)
    took: list[int] = []
    decided: dict[str, int] = {}
    intent = edge.intent(price_ticks=edge.intent().price_ticks - 50)
    os.sched_setaffinity(0, {cpu})
    try:
        client.connect(PATIENCE_NS)
        for _ in range(count + count // 10):
            intent.created_at_ns = clock.unix_ns()
            intent.intent_id = ids.intent_id()
            intent.expires_at_boottime_ns = clock.boottime_ns() + PATIENCE_NS
            prepare = frames.Prepare(intent=intent).SerializeToString()
            deadline_ns = clock.boottime_ns() + PATIENCE_NS
            start = time.perf_counter_ns()
            kind, data = client.request(frames.FRAME_TYPE_PREPARE, prepare, deadline_ns)
            if kind != frames.FRAME_TYPE_PREPARED:
                raise SystemExit(f"refused: {frames.Refused.FromString(data)}")
            token = frames.Prepared.FromString(data).token
            confirm = frames.Confirm(intent_id=intent.intent_id, token=token).SerializeToString()
            kind, data = client.request(frames.FRAME_TYPE_CONFIRM, confirm, deadline_ns)
            took.append(time.perf_counter_ns() - start)
            if kind != frames.FRAME_TYPE_ACCEPTED:
                raise SystemExit(f"refused: {frames.Refused.FromString(data)}")
            decided[frames.Accepted.FromString(data).client_order_id] = intent.created_at_ns
    finally:
        os.sched_setaffinity(0, before)
        client.close()
    return Measured(sorted(took[count // 10 :]), decided)
