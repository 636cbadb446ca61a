"""What the bench sends: intents that pass the gate and fill nothing, under a wide policy.

Owns the bench's policy and templates. Must never be taken for a policy anybody should trade with.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

from titan.risk.v1 import lease_pb2
from titan.trading.v1 import intent_pb2, order_pb2
from titan_testkit.edge import Edge
from titan_testkit.paper import ASK_TICKS, BID_TICKS

TEMPLATES = 256
ID_TAG_BYTES = 2
LIFETIME_NS = 50_000_000_000
PHASE = "scavenger"
WIDE_NANOS = 1_000_000_000 * 1_000_000_000


def widen(policy: Path) -> None:
    """No limit of size, rate or age binds; every check is still made."""
    facts = json.loads(policy.read_text())
    facts["account"] |= {
        "max_gross_notional": "1000000000",
        "equity": "1000000000",
        "max_daily_loss": "1000000000",
        "max_messages_per_second": 1_000_000,
        "cancel_reserve_pct": 1,
    }
    for instrument in facts["instruments"]:
        instrument |= {
            "max_position_lots": "100000000",
            "max_book_age_ms": 600_000,
            "max_open_orders": 4096,
        }
    for phase in facts["phases"]:
        phase |= {"max_notional": "1000000000", "max_daily_loss": "1000000000"}
    policy.write_text(json.dumps(facts, indent=2))


def lease(edge: Edge) -> None:
    """A minute of trading as wide as the policy."""
    budget = lease_pb2.PhaseBudget(phase_id=PHASE, max_notional_nanos=WIDE_NANOS, allowed=True)
    edge.grant(max_gross_notional_nanos=WIDE_NANOS, budgets=[budget])


def templates(edge: Edge) -> bytes:
    """The client's input behind its key: policy hash, then IOC intents off the touch."""
    out = [edge.policy.hash, struct.pack("<I", TEMPLATES)]
    for number in range(TEMPLATES):
        buys = number % 2 == 0
        intent: intent_pb2.IntentSignal = edge.intent(
            side=order_pb2.SIDE_BUY if buys else order_pb2.SIDE_SELL,
            price_ticks=BID_TICKS - 10 - number if buys else ASK_TICKS + 10 + number,
            expires_at_boottime_ns=edge.clock.boottime_ns() + LIFETIME_NS,
        )
        data = intent.SerializeToString(deterministic=True)
        if data[ID_TAG_BYTES : ID_TAG_BYTES + 16] != intent.intent_id:
            raise SystemExit("intent_id is not the first field any more: fix client.c's input")
        out.append(struct.pack("<II", len(data), ID_TAG_BYTES) + data)
    return b"".join(out)
