"""Decisions and events as messages.

Owns the words in which the Brain explains itself. Must never decide.
"""

from __future__ import annotations

from dataclasses import dataclass

from titan.brain.v1 import decision_pb2 as decision_pb
from titan.risk.v1.trading_state_pb2 import BreakerCause, TradingState, TradingStateChanged
from titan.truth.v1.truth_pb2 import TruthComponent, TruthScored
from titan_mesh.clock import Clock
from titan_mesh.ids import IdSource

from titan_brain.leases.judgement import Judgement
from titan_brain.risk.breaker import Breaker
from titan_brain.truth.score import Score

MAX_INPUTS = 32
MAX_VERDICT_CHARS = 256


@dataclass(frozen=True, slots=True)
class Notes:
    """Writes messages of one account."""

    account: str
    policy_hash: bytes
    clock: Clock
    ids: IdSource

    def scored(self, score: Score, as_of_lsn: int) -> TruthScored:
        """The score with its parts."""
        return TruthScored(
            account=self.account,
            policy_hash=self.policy_hash,
            score=score.score,
            components=[
                TruthComponent(
                    kind=part.kind,
                    weight=part.weight,
                    loss=part.loss,
                    value=part.value,
                    remedy=part.remedy,
                )
                for part in score.components
            ],
            as_of_lsn=as_of_lsn,
            scored_at_ns=self.clock.unix_ns(),
        )

    def changed(
        self, before: Breaker, after: Breaker, text: str, operator_id: str = ""
    ) -> TradingStateChanged:
        """The breaker moved."""
        return TradingStateChanged(
            account=self.account,
            previous=before.state,
            state=after.state,
            cause=after.cause,
            halt_epoch=after.halt_epoch,
            operator_id=operator_id,
            text=text[:MAX_VERDICT_CHARS],
            changed_at_ns=self.clock.unix_ns(),
            policy_hash=self.policy_hash,
        )

    def moved(
        self, before: Breaker, judgement: Judgement, lease_sequence: int
    ) -> decision_pb.DecisionRecorded:
        """The decision behind a move of the breaker, or behind other budgets in the same state."""
        after = judgement.memory.breaker
        strongest = judgement.findings[0] if judgement.findings else None
        same = before.state == after.state and before.cause == after.cause
        rule = strongest.rule if strongest else "guardian.recovered"
        if judgement.resumed:
            rule = "brake.resumed"
        inputs = [
            decision_pb.DecisionInput(
                name=found.rule, value=str(found.value), limit=str(found.limit)
            )
            for found in judgement.findings
        ]
        inputs += [
            decision_pb.DecisionInput(name="truth_score", value=str(judgement.score.score)),
            decision_pb.DecisionInput(name="applied_lsn", value=str(judgement.applied_lsn)),
            decision_pb.DecisionInput(
                name="account_loss_nanos", value=str(judgement.losses.account_nanos)
            ),
        ]
        inputs += [
            decision_pb.DecisionInput(
                name=f"budget.{budget.phase_id}", value=str(budget.max_notional_nanos)
            )
            for budget in judgement.budgets
        ]
        return self.decision(
            decision_pb.DECISION_KIND_ALLOCATION
            if same
            else decision_pb.DECISION_KIND_TRADING_STATE,
            rule,
            f"{words(before)} -> {words(after)}",
            state=after.state,
            inputs=inputs,
            lease_sequence=lease_sequence,
        )

    def decision(
        self,
        kind: decision_pb.DecisionKind.ValueType,
        rule: str,
        verdict: str,
        *,
        state: TradingState.ValueType,
        inputs: list[decision_pb.DecisionInput] | None = None,
        lease_sequence: int = 0,
        operator_id: str = "",
    ) -> decision_pb.DecisionRecorded:
        """Any decision."""
        return decision_pb.DecisionRecorded(
            decision_id=self.ids.event_id(),
            account=self.account,
            policy_hash=self.policy_hash,
            kind=kind,
            rule=rule,
            inputs=(inputs or [])[:MAX_INPUTS],
            state=state,
            verdict=verdict[:MAX_VERDICT_CHARS],
            decided_at_ns=self.clock.unix_ns(),
            lease_sequence=lease_sequence,
            operator_id=operator_id,
        )


def words(breaker: Breaker) -> str:
    """State and cause for people."""
    state = TradingState.Name(breaker.state).removeprefix("TRADING_STATE_")
    cause = BreakerCause.Name(breaker.cause).removeprefix("BREAKER_CAUSE_")
    return f"{state} ({cause})"
