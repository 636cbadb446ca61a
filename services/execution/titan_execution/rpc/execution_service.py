"""ExecutionService: orders over gRPC into the same engine as FastPath, and the record for reading.

Owns the mapping between the contract's messages and the door. Must never decide about an order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from titan.execution.v1 import execution_report_pb2
from titan.execution.v1 import execution_service_pb2 as pb
from titan.execution.v1 import execution_service_pb2_grpc as pb_grpc
from titan.options.v1.access_pb2 import Role
from titan.trading.v1 import reject_reason_pb2
from titan_mesh.errors import InvalidMessage, NotFound
from titan_mesh.instruments import Instrument
from titan_mesh.rpc import caller
from titan_mesh.rpc.status import Denied

from titan_execution.core.journal_reader import JournalTail
from titan_execution.gateway.door import Door
from titan_execution.gateway.views import OrderView
from titan_execution.identity import Identity

ID_BYTES = 16
DEFAULT_PAGE = 100
BATCH_RECORDS = 256
BATCH_BYTES = 1 << 20

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class ExecutionRpc(pb_grpc.ExecutionServiceServicer):
    """One method per RPC."""

    def __init__(
        self,
        identity: Identity,
        door: Door,
        journal: Path,
        instruments: Mapping[str, Instrument],
        stop: asyncio.Event,
    ) -> None:
        self._identity = identity
        self._door = door
        self._journal = journal
        self._instruments = instruments
        self._stop = stop

    async def SubmitIntent(
        self, request: pb.SubmitIntentRequest, context: Context
    ) -> pb.SubmitIntentResponse:
        """PREPARE and CONFIRM in one step of the engine."""
        who = caller.current()
        phase_id = request.intent.phase_id
        if who.role == Role.ROLE_PHASE and who.principal not in {phase_id, "bench"}:
            raise Denied(
                reject_reason_pb2.Rejection(
                    reason=reject_reason_pb2.REJECT_REASON_UNKNOWN_PHASE, field="principal"
                )
            )
        lsn, client_order_id, record = await self._door.submit(request.intent.SerializeToString())
        report = _report(record) if record else await asyncio.to_thread(self._report_at, lsn)
        return pb.SubmitIntentResponse(
            lsn=lsn, client_order_id=client_order_id, checks=report.checks
        )

    async def CancelIntent(
        self, request: pb.CancelIntentRequest, context: Context
    ) -> pb.CancelIntentResponse:
        """Asks to cancel the order of an intent."""
        return pb.CancelIntentResponse(lsn=await self._door.cancel(request.intent_id))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        """One order."""
        view = await self._door.order(request.intent_id)
        if view is None:
            raise NotFound(
                "UNKNOWN_ORDER",
                "no order of that intent",
                "intent_id",
                request.intent_id.hex(),
                hint="Check the id; titan why ID searches the record.",
            )
        return pb.GetOrderResponse(order=self._order(view))

    async def ListOrders(
        self, request: pb.ListOrdersRequest, context: Context
    ) -> pb.ListOrdersResponse:
        """Orders, newest first; the engine gives pages of at most 256."""
        wanted = request.page_size or DEFAULT_PAGE
        orders: list[OrderView] = []
        before_lsn = request.before_lsn
        while len(orders) < wanted:
            page, before_lsn = await self._door.orders(
                before_lsn, wanted - len(orders), request.open_only
            )
            orders.extend(page)
            if before_lsn == 0:
                break
        return pb.ListOrdersResponse(
            orders=[self._order(view) for view in orders], next_before_lsn=before_lsn
        )

    async def ListPositions(
        self, request: pb.ListPositionsRequest, context: Context
    ) -> pb.ListPositionsResponse:
        """Positions of the account."""
        state, symbols = await self._door.state()
        positions = [
            pb.PositionView(
                symbol=name,
                position_lots=view.position_lots,
                open_buy_lots=view.open_buy_lots,
                open_sell_lots=view.open_sell_lots,
                cash_nanos=view.cash_nanos,
                fee_nanos=view.fee_nanos,
            )
            for name, view in zip(self._identity.symbols, symbols, strict=True)
        ]
        return pb.ListPositionsResponse(positions=positions, as_of_lsn=state.last_lsn)

    async def ListInstruments(
        self, request: pb.ListInstrumentsRequest, context: Context
    ) -> pb.ListInstrumentsResponse:
        """What may be traded here: instruments of the policy."""
        names = sorted(self._identity.symbols)
        return pb.ListInstrumentsResponse(
            instruments=[self._instruments[name].spec for name in names]
        )

    async def StreamReports(
        self, request: pb.StreamReportsRequest, context: Context
    ) -> AsyncIterator[pb.StreamReportsResponse]:
        """Reports from an LSN on, without end."""
        tail = JournalTail(self._journal)
        news = self._door.subscribe()
        next_lsn = request.from_lsn
        try:
            while not self._stop.is_set():
                for lsn, _epoch, _kind, body in tail.read(next_lsn, BATCH_RECORDS, BATCH_BYTES):
                    yield pb.StreamReportsResponse(report=_report(body))
                    next_lsn = lsn + 1
                if next_lsn > tail.committed_lsn:
                    await news.wait()
                    news.clear()
        finally:
            self._door.unsubscribe(news)
            tail.close()

    async def ReplayReports(
        self, request: pb.ReplayReportsRequest, context: Context
    ) -> AsyncIterator[pb.ReplayReportsResponse]:
        """Reports of a range of LSNs, then the end."""
        tail = JournalTail(self._journal)
        last_lsn = min(request.to_lsn or tail.committed_lsn, tail.committed_lsn)
        if request.to_lsn and request.to_lsn < request.from_lsn:
            raise InvalidMessage(
                "LSN_RANGE", "to_lsn is below from_lsn", "to_lsn", request.to_lsn, request.from_lsn
            )
        next_lsn = request.from_lsn
        try:
            while next_lsn <= last_lsn:
                batch = tail.read(next_lsn, BATCH_RECORDS, BATCH_BYTES)
                if not batch:
                    break
                for lsn, _epoch, _kind, body in batch:
                    if lsn > last_lsn:
                        break
                    yield pb.ReplayReportsResponse(report=_report(body))
                    next_lsn = lsn + 1
                else:
                    continue
                break
        finally:
            tail.close()

    def _report_at(self, lsn: int) -> execution_report_pb2.ExecutionReport:
        tail = JournalTail(self._journal)
        try:
            return _report(tail.read(lsn, 1, BATCH_BYTES)[0][3])
        finally:
            tail.close()

    def _order(self, view: OrderView) -> pb.Order:
        return pb.Order(
            intent_id=view.intent_id,
            client_order_id=view.client_order_id,
            venue_order_id=view.venue_order_id,
            phase_id=self._identity.phases[view.phase],
            symbol=self._identity.symbols[view.symbol],
            side=view.side,
            order_type=view.order_type,
            time_in_force=view.time_in_force,
            qty_lots=view.qty_lots,
            price_ticks=view.price_ticks,
            ord_status=view.ord_status,
            intent_state=view.intent_state,
            cum_qty_lots=view.cum_lots,
            leaves_qty_lots=view.leaves_lots,
            confirmed_lsn=view.confirmed_lsn,
            last_lsn=view.last_lsn,
        )


def _report(body: bytes) -> execution_report_pb2.ExecutionReport:
    return execution_report_pb2.ExecutionReport.FromString(body)
