"""A wish to trade that cannot be built wrong, and its encoding.

Owns the author's side of titan.trading.v1.IntentSignal: the contract's rules are checked when an
Intent is made.
Must never know Execution, the bus, or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from titan_mesh.errors import TitanError

from titan_sdk._pb import hot
from titan_sdk._pb.titan.trading.v1 import IntentSignal, SignalInput
from titan_sdk.rules import check_signal
from titan_sdk.vocabulary import OrderType, Side, TimeInForce

DEFAULT_TTL_MS = 2_000
MAX_TTL_MS = 3_600_000


class IntentInvalid(TitanError):
    """An intent that breaks a rule of the contract or of its instrument; `field`, `value` and
    `limit` say which.
    """


@dataclass(frozen=True, slots=True)
class Identity:
    """Who wishes: put on every intent by the runtime."""

    phase_id: str
    account: str
    policy_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a strategy wants. Immutable; valid by construction."""

    symbol: str
    instrument_version: int
    side: Side
    qty_lots: int
    price_ticks: int
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.IOC
    reduce_only: bool = False
    ttl_ms: int = DEFAULT_TTL_MS
    arrival_mid_half_ticks: int = 0
    expected_edge_ppm: int = 0
    rule: str
    inputs: tuple[tuple[str, str], ...] = ()
    supersedes: bytes = b""

    def __post_init__(self) -> None:
        for name in ("qty_lots", "price_ticks", "ttl_ms"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise IntentInvalid(
                    code="NOT_INTEGER",
                    message=f"{name} counts whole units",
                    field=name,
                    value=repr(value),
                    limit="int",
                    hint="Decimals belong into price and qty of a wish.",
                )
        if not 0 < self.ttl_ms <= MAX_TTL_MS:
            raise IntentInvalid(
                code="INTENT_TTL",
                message="an intent needs a time to live",
                field="ttl_ms",
                value=str(self.ttl_ms),
                limit=f"1 to {MAX_TTL_MS}",
                hint="The policy's timing.max_intent_ttl_ms bounds it further.",
            )
        if not self.rule:
            raise IntentInvalid(
                code="INTENT_RULE_MISSING",
                message="every order explains itself: name the rule that fired",
                field="rule",
                value="",
                limit="1 to 32 characters",
                hint='Pass rule="breakout", say.',
            )
        check_signal(_signal(self), IntentInvalid)


def _signal(intent: Intent) -> IntentSignal:
    return IntentSignal(
        symbol=intent.symbol,
        instrument_version=intent.instrument_version,
        side=intent.side,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        qty_lots=intent.qty_lots,
        price_ticks=intent.price_ticks,
        reduce_only=intent.reduce_only,
        supersedes=intent.supersedes,
        arrival_mid_half_ticks=intent.arrival_mid_half_ticks,
        expected_edge_ppm=intent.expected_edge_ppm,
        rule=intent.rule,
        inputs=[SignalInput(name=name, value=value) for name, value in intent.inputs],
    )


def encode_intent(
    intent: Intent,
    identity: Identity,
    intent_id: bytes,
    created_at_ns: int,
    expires_at_boottime_ns: int,
) -> bytes:
    """The bytes that are logged, sent and digested; made once."""
    signal = _signal(intent)
    signal.intent_id = intent_id
    signal.policy_hash = identity.policy_hash
    signal.phase_id = identity.phase_id
    signal.account = identity.account
    signal.created_at_ns = created_at_ns
    signal.expires_at_boottime_ns = expires_at_boottime_ns
    return hot.encode_intent_signal(signal)


def decode_intent(payload: bytes) -> Intent:
    """The intent in logged bytes (a restart reads its own log)."""
    signal = hot.decode_intent_signal(payload)
    return Intent(
        symbol=signal.symbol,
        instrument_version=signal.instrument_version,
        side=signal.side,
        qty_lots=signal.qty_lots,
        price_ticks=signal.price_ticks,
        order_type=signal.order_type,
        time_in_force=signal.time_in_force,
        reduce_only=signal.reduce_only,
        arrival_mid_half_ticks=signal.arrival_mid_half_ticks,
        expected_edge_ppm=signal.expected_edge_ppm,
        rule=signal.rule,
        inputs=tuple((item.name, item.value) for item in signal.inputs),
        supersedes=signal.supersedes,
    )
