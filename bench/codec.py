"""Encode and decode times of one IntentSignal in each generated family, interleaved in one run.

Prints a table for people and, with --json, one object on the last line. Ratios hold between
machines; absolute times do not. Backs docs/adr/0001.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date

from titan.trading.v1 import intent_pb2
from titan_sdk._pb import hot
from titan_sdk._pb.titan.trading.v1 import IntentSignal

FIELDS = {
    "intent_id": bytes(range(16)),
    "policy_hash": bytes(32),
    "phase_id": "scavenger",
    "account": "paper-main",
    "symbol": "BTCUSDT",
    "instrument_version": 1,
    "qty_lots": 5,
    "price_ticks": 600_000,
    "created_at_ns": 1_790_000_000_000_000_000,
    "expires_at_boottime_ns": 90_000_000_000,
    "rule": "breakout_trap",
}


def _time_ns(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(repeats):
        call()
    return (time.perf_counter_ns() - start) / repeats


def measure(rounds: int, repeats: int) -> dict[str, float]:
    """Median nanoseconds per call over interleaved rounds."""
    service = intent_pb2.IntentSignal(**FIELDS, side=1, order_type=1, time_in_force=2)
    sdk = IntentSignal(**FIELDS, side=1, order_type=1, time_in_force=2)
    data = service.SerializeToString(deterministic=True)
    if bytes(sdk) != data or hot.encode_intent_signal(sdk) != data:
        raise SystemExit("the families disagree; run `make contract`")
    calls: dict[str, Callable[[], object]] = {
        "protobuf_encode_ns": service.SerializeToString,
        "protobuf_decode_ns": lambda: intent_pb2.IntentSignal.FromString(data),
        "betterproto2_encode_ns": lambda: bytes(sdk),
        "betterproto2_decode_ns": lambda: IntentSignal.parse(data),
        "sdk_hot_encode_ns": lambda: hot.encode_intent_signal(sdk),
        "sdk_hot_decode_ns": lambda: hot.decode_intent_signal(data),
    }
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            samples[name].append(_time_ns(call, repeats))
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    """Command line of the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    args = parser.parse_args()
    result = measure(args.rounds, args.repeats)
    print(f"IntentSignal, {date.today()}, {os.cpu_count()} x {platform.machine()}")
    base = result["protobuf_encode_ns"]
    for name, value in result.items():
        print(f"  {name:26s} {value:10.0f} ns   {value / base:7.1f} x protobuf encode")
    if args.json:
        print(json.dumps({name: round(value, 1) for name, value in result.items()}))


if __name__ == "__main__":
    main()
