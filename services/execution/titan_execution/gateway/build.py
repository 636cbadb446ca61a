"""Policy and instruments into an engine.

Owns the conversion of policy data into the engine's integers. Must never invent a limit: what the
policy does not say is not set.
"""

from __future__ import annotations

from collections.abc import Mapping

from titan.risk.v1 import policy_pb2
from titan.trading.v1 import instrument_pb2
from titan_mesh.errors import PolicyError
from titan_mesh.instruments import Instrument
from titan_mesh.money import nanos_of
from titan_mesh.policy_hash import Policy

from titan_execution.core.host import EngineHost

MS = 1_000_000


def build_engine(
    account: str,
    venue: str,
    policy: Policy,
    instruments: Mapping[str, Instrument],
    *,
    slots_log2: int = 20,
    plant: str = "",
) -> EngineHost:
    """An engine under the policy, empty, ready to replay its journal."""
    if policy.pb.account.account != account:
        raise _mismatch("account.account", policy.pb.account.account, account)
    bounds = next((v for v in policy.pb.venues if v.venue == venue), None)
    if bounds is None:
        raise _mismatch("venues", ", ".join(v.venue for v in policy.pb.venues), venue)
    host = EngineHost(account, venue, slots_log2, plant)
    _set_policy(host, policy, bounds)
    for limits in policy.pb.instruments:
        found = instruments.get(limits.symbol)
        if found is None or found.spec.venue != venue:
            raise _mismatch("instruments.symbol", limits.symbol, f"a specification of {venue}")
        if found.spec.kind == instrument_pb2.CONTRACT_KIND_INVERSE:
            raise _mismatch("instruments.symbol", limits.symbol, "a tradable kind of contract")
        _add_symbol(host, limits, found.spec)
    for phase in policy.pb.phases:
        host.add_phase(
            phase.phase_id,
            max_notional_nanos=nanos_of(phase.max_notional, "phases.max_notional"),
            max_daily_loss_nanos=nanos_of(phase.max_daily_loss, "phases.max_daily_loss"),
            max_repeats=phase.max_repeats_per_minute,
        )
    return host


def _set_policy(host: EngineHost, policy: Policy, bounds: policy_pb2.VenueBounds) -> None:
    account, timing = policy.pb.account, policy.pb.timing
    fence_ms = (
        bounds.request_expiry_ms
        + bounds.queue_bound_ms
        + bounds.visibility_lag_ms
        + 2 * bounds.clock_error_ms
        + bounds.margin_ms
    )
    host.set_policy(
        policy.hash,
        max_gross_nanos=nanos_of(account.max_gross_notional, "account.max_gross_notional"),
        equity_nanos=nanos_of(account.equity, "account.equity"),
        max_leverage_pct=account.max_leverage_pct,
        max_daily_loss_nanos=nanos_of(account.max_daily_loss, "account.max_daily_loss"),
        max_messages=account.max_messages_per_second,
        cancel_reserve_pct=account.cancel_reserve_pct,
        duplicate_window_ns=account.duplicate_window_ms * MS,
        prepare_ttl_ns=timing.prepare_ttl_ms * MS,
        max_intent_ttl_ns=timing.max_intent_ttl_ms * MS,
        request_expiry_ns=bounds.request_expiry_ms * MS,
        visibility_lag_ns=bounds.visibility_lag_ms * MS,
        fence_ns=fence_ms * MS,
        min_score_open=policy.pb.truth.min_score_open,
    )


def _add_symbol(
    host: EngineHost,
    limits: policy_pb2.InstrumentLimits,
    spec: instrument_pb2.InstrumentSpec,
) -> None:
    host.add_symbol(
        limits.symbol,
        version=spec.version,
        kind=spec.kind,
        nanos_per_tick_lot=spec.notional_nanos_per_tick_lot,
        min_qty_lots=spec.min_qty_lots,
        max_qty_lots=spec.max_qty_lots,
        min_notional_nanos=nanos_of(spec.min_notional, "min_notional"),
        max_order_qty_lots=limits.max_order_qty_lots,
        max_order_notional_nanos=nanos_of(limits.max_order_notional, "max_order_notional"),
        max_position_lots=limits.max_position_lots,
        max_book_age_ns=limits.max_book_age_ms * MS,
        collar_ppm=limits.price_collar_ppm,
        max_impact_ppm=limits.max_impact_ppm,
        max_open_orders=limits.max_open_orders,
    )


def _mismatch(field: str, value: str, limit: str) -> PolicyError:
    return PolicyError(
        "POLICY_MISMATCH",
        f"the policy does not fit this Execution: {field}",
        field,
        value,
        limit,
        hint="Correct titan.toml, the instruments or the policy; the hash changes with the policy.",
    )
