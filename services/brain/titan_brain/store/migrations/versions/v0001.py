"""The first tables. Never edited once released: a change is a new version."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None

_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TYPES: dict[str, Any] = {"i": _INT, "t": sa.Text(), "b": sa.LargeBinary()}

# Table: columns as "name:type", a key marked with "*".
_TABLES = {
    "exec_cursor": "account:t* applied_lsn:i epoch:i halted:i halt_epoch:i halt_cause:i "
    "halt_operator:t halt_text:t resumed_lsn:i",
    "reports": "lsn:i* epoch:i kind:i intent_id:b recorded_at_ns:i body:b",
    "orders": "order_key:t* intent_id:b client_order_id:t venue_order_id:t phase_id:t symbol:t "
    "side:i qty_lots:i price_ticks:i ord_status:i cum_qty_lots:i acknowledged:i external:i "
    "confirmed_lsn:i confirmed_at_ns:i brain_epoch:i lease_sequence:i last_lsn:i",
    "fills": "venue:t* account:t* symbol:t* trade_id:t* order_key:t intent_id:b phase_id:t side:i "
    "qty_lots:i price_ticks:i fee_nanos:i liquidity:i venue_time_ns:i lsn:i busted_lsn:i",
    "positions": "phase_id:t* symbol:t* position_lots:i cash_nanos:i fee_nanos:i "
    "last_price_ticks:i last_lsn:i",
    "exec_epochs": "epoch:i* lsn:i recorded_at_ns:i",
    "anomalies": "lsn:i* code:t* symbol:t found:i expected:i",
    "verdicts": "epoch:i* verdict_sequence:i* intent_id:b phase_id:t approved:i reason:i "
    "decided_at_ns:i dropped_before:i body:b",
    "marks": "symbol:t* mid_half_ticks:i taken_at_ns:i",
    "truth_scores": "scored_at_ns:i* score:i as_of_lsn:i body:b",
    "leases": "brain_epoch:i* lease_sequence:i* granted_at_ns:i body:b",
    "decisions": "decision_id:b* decided_at_ns:i kind:i rule:t state:i operator_id:t "
    "brain_epoch:i lease_sequence:i body:b",
    "brain_state": "account:t* brain_epoch:i state:i cause:i halt_epoch:i operators:i "
    "edge_pending:i day_number:i day_opening:t",
}
_INDEXES = {
    "ix_reports_intent_id": ("reports", ["intent_id"]),
    "ix_orders_client_order_id": ("orders", ["client_order_id"]),
    "ix_fills_lsn": ("fills", ["lsn"]),
    "ix_fills_busted_lsn": ("fills", ["busted_lsn"]),
    "ix_fills_trade_id": ("fills", ["trade_id"]),
    "ix_verdicts_intent_id": ("verdicts", ["intent_id"]),
    "ix_decisions_decided_at_ns": ("decisions", ["decided_at_ns"]),
    "ix_decisions_lease": ("decisions", ["brain_epoch", "lease_sequence"]),
}


def _columns(text: str) -> list[sa.Column[Any]]:
    columns: list[sa.Column[Any]] = []
    for word in text.split():
        name, kind = word.rstrip("*").split(":")
        columns.append(
            sa.Column(
                name,
                _TYPES[kind],
                primary_key=word.endswith("*"),
                nullable=False,
                autoincrement=False,
            )
        )
    return columns


def upgrade() -> None:
    """Forward."""
    for name, columns in _TABLES.items():
        op.create_table(name, *_columns(columns))
    op.create_table(
        "audit",
        sa.Column("audit_id", _INT, primary_key=True, autoincrement=True),
        *_columns("at_ns:i actor:t action:t detail:t"),
    )
    for index, (table, columns_of_index) in _INDEXES.items():
        op.create_index(index, table, columns_of_index)


def downgrade() -> None:
    """Back to an empty database."""
    for index, (table, _) in _INDEXES.items():
        op.drop_index(index, table)
    for name in ("audit", *_TABLES):
        op.drop_table(name)
