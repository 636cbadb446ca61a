"""ExecutionControlService: leases from the Brain, the brake for anyone, the state for everyone.

Owns who may relax what at the edge. Must never relax anything by itself: restricting is immediate,
relaxing needs proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import grpc
from titan.execution.v1 import execution_control_service_pb2 as pb
from titan.execution.v1 import execution_control_service_pb2_grpc as pb_grpc
from titan.options.v1.access_pb2 import Role
from titan.risk.v1 import trading_state_pb2
from titan_mesh.clock import Clock
from titan_mesh.errors import NotFound
from titan_mesh.rpc import caller

from titan_execution.flatten import Flattener
from titan_execution.gateway.door import Door
from titan_execution.gateway.views import LINK_UP, EdgeView
from titan_execution.identity import Identity
from titan_execution.outbox.reports import ReportOutbox
from titan_execution.rpc.signatures import require_operators

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class ControlRpc(pb_grpc.ExecutionControlServiceServicer):
    """One method per RPC."""

    def __init__(
        self,
        identity: Identity,
        door: Door,
        flattener: Flattener,
        publics: Mapping[str, bytes],
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._door = door
        self._flattener = flattener
        self._publics = publics
        self._clock = clock
        self.outbox: ReportOutbox | None = None

    async def GrantLease(
        self, request: pb.GrantLeaseRequest, context: Context
    ) -> pb.GrantLeaseResponse:
        """Answers when the engine obeys the lease."""
        edge = await self._door.lease(request.lease.SerializeToString())
        return pb.GrantLeaseResponse(
            expires_boottime_ns=edge.lease_expires_ns,
            state=edge.state,
            durable_lsn=edge.last_lsn,
            exec_epoch=edge.epoch,
            halt_epoch=edge.halt_epoch,
        )

    async def SetTradingState(
        self, request: pb.SetTradingStateRequest, context: Context
    ) -> pb.SetTradingStateResponse:
        """Halts for anyone; relaxes for the Brain, or for operators who signed the halt epoch."""
        self._require_account(request.account)
        cause = request.cause or trading_state_pb2.BREAKER_CAUSE_OPERATOR
        if request.state == trading_state_pb2.TRADING_STATE_HALTED:
            return _state(await self._door.halt(cause, request.operator_id, request.text))
        state, _ = await self._door.state()
        if state.state == trading_state_pb2.TRADING_STATE_HALTED and state.halt_lsn:
            require_operators(request, state.cause, self._publics, self._clock.unix_ns())
            edge = await self._door.resume(request.halt_epoch, request.operator_id, request.text)
            return _state(edge)
        if caller.current().role != Role.ROLE_BRAIN:
            require_operators(
                request,
                trading_state_pb2.BREAKER_CAUSE_OPERATOR,
                self._publics,
                self._clock.unix_ns(),
            )
        if request.state == trading_state_pb2.TRADING_STATE_DEFENSIVE:
            return _state(await self._door.defensive(cause, request.operator_id, request.text))
        # NORMAL is never set by a call: the next lease says so.
        return pb.SetTradingStateResponse(state=state.state, halt_epoch=state.halt_epoch)

    async def Flatten(self, request: pb.FlattenRequest, context: Context) -> pb.FlattenResponse:
        """Cancels everything, closes everything; ends when the venue says flat or time is up."""
        self._require_account(request.account)
        unverified = await self._flattener.flatten(request.operator_id, request.text)
        return pb.FlattenResponse(flat=not unverified, unverified=unverified)

    async def DescribeState(
        self, request: pb.DescribeStateRequest, context: Context
    ) -> pb.DescribeStateResponse:
        """Everything an operator wants to see at a glance."""
        state, symbols = await self._door.state()
        return pb.DescribeStateResponse(
            account=self._identity.account,
            state=state.state,
            cause=state.cause,
            halt_epoch=state.halt_epoch,
            policy_hash=self._identity.policy_hash,
            exec_epoch=state.epoch,
            durable_lsn=state.last_lsn,
            published_lsn=self.outbox.published_lsn if self.outbox else 0,
            lease_remaining_ns=max(state.lease_expires_ns - state.boottime_ns, 0)
            if state.lease_granted
            else 0,
            brain_epoch=state.brain_epoch,
            venues=[
                pb.VenueState(
                    venue=self._identity.venue,
                    connected=state.link == LINK_UP,
                    reconciled=bool(state.reconciled),
                    unknown_orders=state.unknown_orders,
                )
            ],
            books=[
                pb.BookState(
                    symbol=name,
                    bid_price_ticks=view.bid_ticks,
                    ask_price_ticks=view.ask_ticks,
                    age_ns=view.book_age_ns,
                    live=bool(view.book_live),
                    update_id=view.update_id,
                )
                for name, view in zip(self._identity.symbols, symbols, strict=True)
            ],
            open_orders=state.open_orders,
            prepared_intents=state.prepared,
            sessions=state.sessions,
            prepared_total=state.prepared_total,
            confirmed_total=state.confirmed_total,
            refused_total=state.refused_total,
            verdicts_dropped=state.verdicts_dropped + self._door.verdicts_dropped,
            build=self._identity.build,
        )

    def _require_account(self, account: str) -> None:
        if account != self._identity.account:
            raise NotFound(
                "UNKNOWN_ACCOUNT",
                "the account is not served here",
                "account",
                account,
                self._identity.account,
            )


def _state(edge: EdgeView) -> pb.SetTradingStateResponse:
    return pb.SetTradingStateResponse(
        state=edge.state,
        halt_epoch=edge.halt_epoch,
        lsn=edge.lsn,
    )
