"""BrainService: truth, allocation, funnel, explanations, preview.

Owns the shape of the answers. Must never compute a rule: the governor, the database and the
preview have the facts.
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from titan.brain.v1 import brain_service_pb2 as pb
from titan.brain.v1.brain_service_pb2_grpc import BrainServiceServicer
from titan.trading.v1.instrument_pb2 import InstrumentSpec
from titan.trading.v1.reject_reason_pb2 import RejectReason

from titan_brain.leases.governor import Governor
from titan_brain.leases.issuer import Issuer
from titan_brain.ledger.fold import Grid
from titan_brain.ledger.rows import Position
from titan_brain.ledger.valuation import Result, results_by_phase, total, value_nanos
from titan_brain.risk.terms import Terms
from titan_brain.rpc.preview import View, preview, rejection_of
from titan_brain.store.explanations import Explanations
from titan_brain.store.pictures import Picture, Pictures

Context = grpc.aio.ServicerContext


class BrainService(BrainServiceServicer):
    """What anyone may read."""

    def __init__(
        self,
        *,
        grid: Grid,
        terms: Terms,
        instruments: Mapping[str, InstrumentSpec],
        governor: Governor,
        issuer: Issuer,
        pictures: Pictures,
        explanations: Explanations,
    ) -> None:
        self._grid = grid
        self._terms = terms
        self._instruments = instruments
        self._governor = governor
        self._issuer = issuer
        self._pictures = pictures
        self._explanations = explanations
        self._hashed = (-1, b"")

    async def GetTruth(
        self, request: pb.GetTruthRequest, context: Context[pb.GetTruthRequest, pb.GetTruthResponse]
    ) -> pb.GetTruthResponse:
        """The newest score."""
        return pb.GetTruthResponse(
            truth=self._governor.scored, snapshot_age_ns=self._governor.snapshot_age_ns
        )

    async def GetAllocation(
        self,
        request: pb.GetAllocationRequest,
        context: Context[pb.GetAllocationRequest, pb.GetAllocationResponse],
    ) -> pb.GetAllocationResponse:
        """State, newest lease, budgets."""
        breaker = self._governor.breaker
        picture = await self._pictures.now(self._terms.restart_window_ns)
        return pb.GetAllocationResponse(
            state=breaker.state,
            cause=breaker.cause,
            lease=self._issuer.granted,
            applied_lsn=picture.cursor.applied_lsn,
            halt_epoch=breaker.halt_epoch,
        )

    async def GetFunnel(
        self,
        request: pb.GetFunnelRequest,
        context: Context[pb.GetFunnelRequest, pb.GetFunnelResponse],
    ) -> pb.GetFunnelResponse:
        """Counts and results from the database."""
        counts = await self._explanations.counts(request.phase_id)
        picture = await self._pictures.now(self._terms.restart_window_ns)
        result = self._result(picture, request.phase_id)
        return pb.GetFunnelResponse(
            signals=counts.signals,
            approved=counts.approved,
            confirmed=counts.confirmed,
            acknowledged=counts.acknowledged,
            filled_orders=counts.filled_orders,
            fills=counts.fills,
            rejects=[
                pb.RejectCount(reason=RejectReason.ValueType(code), count=count)
                for code, count in counts.rejects
            ],
            verdicts_dropped=counts.dropped,
            applied_lsn=picture.cursor.applied_lsn,
            gross_pnl_nanos=result.gross_nanos,
            fee_nanos=result.fee_nanos,
            net_pnl_nanos=result.net_nanos,
            state_hash=await self._hash(picture.cursor.applied_lsn),
        )

    async def ExplainDecision(
        self,
        request: pb.ExplainDecisionRequest,
        context: Context[pb.ExplainDecisionRequest, pb.ExplainDecisionResponse],
    ) -> pb.ExplainDecisionResponse:
        """All the record knows of one thing."""
        found = await self._explanations.explain(request.id)
        answer = pb.ExplainDecisionResponse(
            verdict=found.verdict,
            reports=found.reports,
            truth=found.truth,
            lease=found.lease,
            decisions=found.decisions,
        )
        confirmed = next((report for report in found.reports if report.HasField("intent")), None)
        if confirmed is not None:
            answer.intent.CopyFrom(confirmed.intent)
        elif found.verdict is not None and found.verdict.HasField("intent"):
            answer.intent.CopyFrom(found.verdict.intent)
        return answer

    async def PreviewIntent(
        self,
        request: pb.PreviewIntentRequest,
        context: Context[pb.PreviewIntentRequest, pb.PreviewIntentResponse],
    ) -> pb.PreviewIntentResponse:
        """What the rules would say now."""
        picture = await self._pictures.now(self._terms.restart_window_ns)
        view = View(
            self._grid.account,
            self._terms,
            self._instruments,
            self._governor.breaker,
            self._governor.latest,
            _held(picture, self._grid.nanos_per_tick_lot),
        )
        checks = preview(request.intent, view)
        rejection = rejection_of(checks)
        return pb.PreviewIntentResponse(
            allowed=rejection is None, rejection=rejection, checks=checks
        )

    def _result(self, picture: Picture, phase_id: str) -> Result:
        results = results_by_phase(
            picture.positions, picture.mid_half_ticks, self._grid.nanos_per_tick_lot
        )
        return results.get(phase_id, Result()) if phase_id else total(results.values())

    async def _hash(self, applied_lsn: int) -> bytes:
        """The state hash; it changes with the applied LSN only, and reading it all is slow."""
        if self._hashed[0] != applied_lsn:
            self._hashed = (applied_lsn, await self._pictures.state_hash())
        return self._hashed[1]


def _held(picture: Picture, per_tick_lot: Mapping[str, int]) -> dict[str, int]:
    """Gross notional that each phase holds at mid, nanos."""
    held: dict[str, int] = {}
    for position in picture.positions:
        half, per = _half(picture, position), per_tick_lot[position.symbol]
        worth = abs(value_nanos(position.position_lots, half, per))
        held[position.phase_id] = held.get(position.phase_id, 0) + worth
    return held


def _half(picture: Picture, position: Position) -> int:
    return picture.mid_half_ticks.get(position.symbol, 0) or 2 * position.last_price_ticks
