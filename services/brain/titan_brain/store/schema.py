"""Tables of the Brain's database. One database serves one account.

Owns names and types of columns. Must never hold a float, a decimal or a time zone: money is int64
nanos, sizes lots, prices ticks, times nanoseconds. Migrations create the tables; a test proves that
both agree.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _int(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, _INT, primary_key=key, nullable=False, autoincrement=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _bytes(name: str, *, key: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), primary_key=key, nullable=False)


# How far the fold got. Updated in the transaction of the batch, so it can never lie.
EXEC_CURSOR = sa.Table(
    "exec_cursor",
    METADATA,
    _text("account", key=True),
    _int("applied_lsn"),
    _int("epoch"),
    _int("halted"),
    _int("halt_epoch"),
    _int("halt_cause"),
    _text("halt_operator"),
    _text("halt_text"),
    _int("resumed_lsn"),
)

# Every report as it came, for explanations and for building everything else anew.
REPORTS = sa.Table(
    "reports",
    METADATA,
    _int("lsn", key=True),
    _int("epoch"),
    _int("kind"),
    _bytes("intent_id"),
    _int("recorded_at_ns"),
    _bytes("body"),
    sa.Index("ix_reports_intent_id", "intent_id"),
)

ORDERS = sa.Table(
    "orders",
    METADATA,
    _text("order_key", key=True),
    _bytes("intent_id"),
    _text("client_order_id"),
    _text("venue_order_id"),
    _text("phase_id"),
    _text("symbol"),
    _int("side"),
    _int("qty_lots"),
    _int("price_ticks"),
    _int("ord_status"),
    _int("cum_qty_lots"),
    _int("acknowledged"),
    _int("external"),
    _int("confirmed_lsn"),
    _int("confirmed_at_ns"),
    _int("brain_epoch"),
    _int("lease_sequence"),
    _int("last_lsn"),
    sa.Index("ix_orders_client_order_id", "client_order_id"),
)

FILLS = sa.Table(
    "fills",
    METADATA,
    _text("venue", key=True),
    _text("account", key=True),
    _text("symbol", key=True),
    _text("trade_id", key=True),
    _text("order_key"),
    _bytes("intent_id"),
    _text("phase_id"),
    _int("side"),
    _int("qty_lots"),
    _int("price_ticks"),
    _int("fee_nanos"),
    _int("liquidity"),
    _int("venue_time_ns"),
    _int("lsn"),
    _int("busted_lsn"),
    sa.Index("ix_fills_lsn", "lsn"),
    sa.Index("ix_fills_busted_lsn", "busted_lsn"),
    sa.Index("ix_fills_trade_id", "trade_id"),
)

POSITIONS = sa.Table(
    "positions",
    METADATA,
    _text("phase_id", key=True),
    _text("symbol", key=True),
    _int("position_lots"),
    _int("cash_nanos"),
    _int("fee_nanos"),
    _int("last_price_ticks"),
    _int("last_lsn"),
)

# Starts of Execution, one per journal epoch.
EXEC_EPOCHS = sa.Table(
    "exec_epochs", METADATA, _int("epoch", key=True), _int("lsn"), _int("recorded_at_ns")
)

# Reports that contradicted the sums of the others.
ANOMALIES = sa.Table(
    "anomalies",
    METADATA,
    _int("lsn", key=True),
    _text("code", key=True),
    _text("symbol"),
    _int("found"),
    _int("expected"),
)

# The gate's answers; numbered by Execution, so a redelivery cannot count twice.
VERDICTS = sa.Table(
    "verdicts",
    METADATA,
    _int("epoch", key=True),
    _int("verdict_sequence", key=True),
    _bytes("intent_id"),
    _text("phase_id"),
    _int("approved"),
    _int("reason"),
    _int("decided_at_ns"),
    _int("dropped_before"),
    _bytes("body"),
    sa.Index("ix_verdicts_intent_id", "intent_id"),
)

# Newest mid of each symbol, so that results survive a restart.
MARKS = sa.Table(
    "marks", METADATA, _text("symbol", key=True), _int("mid_half_ticks"), _int("taken_at_ns")
)

# Scores that differ from the one before.
TRUTH_SCORES = sa.Table(
    "truth_scores",
    METADATA,
    _int("scored_at_ns", key=True),
    _int("score"),
    _int("as_of_lsn"),
    _bytes("body"),
)

# Leases that say something else than the one before; renewals repeat and are not kept.
LEASES = sa.Table(
    "leases",
    METADATA,
    _int("brain_epoch", key=True),
    _int("lease_sequence", key=True),
    _int("granted_at_ns"),
    _bytes("body"),
)

DECISIONS = sa.Table(
    "decisions",
    METADATA,
    _bytes("decision_id", key=True),
    _int("decided_at_ns"),
    _int("kind"),
    _text("rule"),
    _int("state"),
    _text("operator_id"),
    _int("brain_epoch"),
    _int("lease_sequence"),
    _bytes("body"),
    sa.Index("ix_decisions_decided_at_ns", "decided_at_ns"),
    sa.Index("ix_decisions_lease", "brain_epoch", "lease_sequence"),
)

# Who did what: operators, poison, starts.
AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("audit_id", _INT, primary_key=True, autoincrement=True),
    _int("at_ns"),
    _text("actor"),
    _text("action"),
    _text("detail"),
)

# One row: what must survive a restart of the Brain itself.
BRAIN_STATE = sa.Table(
    "brain_state",
    METADATA,
    _text("account", key=True),
    _int("brain_epoch"),
    _int("state"),
    _int("cause"),
    _int("halt_epoch"),
    _int("operators"),
    _int("edge_pending"),
    _int("day_number"),
    _text("day_opening"),
)
