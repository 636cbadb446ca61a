"""The two rings as Python uses them: calls in, answers, verdicts and commits out.

Owns correlation and the hand-over of verdicts. Must never touch the engine's memory.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque

from titan.trading.v1 import reject_reason_pb2
from titan_mesh.errors import Unavailable
from titan_mesh.rpc.status import Denied

from titan_execution.core.ring import Ring
from titan_execution.gateway import views

CALL_TIMEOUT_S = 5.0
TURNS = 8
RECORDS_A_TURN = 512
VERDICTS_MAX = 8_192
"""Verdicts that wait for the bus; the oldest are dropped and counted."""

_SUBMIT, _CANCEL, _LEASE, _HALT, _RESUME, _DEFENSIVE, _ORDER, _ORDERS, _STATE, _STOP = range(1, 11)
_VERDICT, _ANSWER, _COMMITTED = 1, 2, 3
_REJECTED = 1
_LEAD = struct.Struct("<QB")
_LSN = struct.Struct("<Q")


class Door:
    """One per process; made inside the running event loop."""

    def __init__(self, control: Ring, output: Ring) -> None:
        self._control = control
        self._output = output
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._next = 1
        self._news: set[asyncio.Event] = set()
        self.verdicts: deque[bytes] = deque()
        self.verdicts_dropped = 0
        self.committed_lsn = 0

    def open(self) -> None:
        """Starts to listen to the engine."""
        asyncio.get_running_loop().add_reader(self._output.fileno(), self._readable)
        self._readable()

    def close(self) -> None:
        """Stops listening; open calls fail."""
        asyncio.get_running_loop().remove_reader(self._output.fileno())
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_stopped())

    def subscribe(self) -> asyncio.Event:
        """An event that is set whenever something was committed; the caller clears it."""
        news = asyncio.Event()
        self._news.add(news)
        return news

    def unsubscribe(self, news: asyncio.Event) -> None:
        """The end of a subscription."""
        self._news.discard(news)

    def wake(self) -> None:
        """Ends every wait for news."""
        for news in self._news:
            news.set()

    # ---- calls -----------------------------------------------------------------------------

    async def submit(self, intent: bytes) -> tuple[int, str, bytes]:
        """PREPARE and CONFIRM: (lsn, client_order_id, CONFIRMED record) or Denied.

        The record is empty when the promise is a repeat.
        """
        answer = await self._call(_SUBMIT, intent)
        return _LSN.unpack_from(answer)[0], answer[8:34].decode("ascii"), answer[34:]

    async def cancel(self, intent_id: bytes) -> int:
        """LSN of the cancel request."""
        return int(_LSN.unpack(await self._call(_CANCEL, intent_id))[0])

    async def lease(self, lease: bytes) -> views.EdgeView:
        """Hands a RiskLease to the engine."""
        return views.edge_of(await self._call(_LEASE, lease))

    async def halt(self, cause: int, operator_id: str, text: str) -> views.EdgeView:
        """Latches HALTED; returns when it is true and committed."""
        return views.edge_of(await self._call(_HALT, bytes([cause]) + _words(operator_id, text)))

    async def resume(self, halt_epoch: int, operator_id: str, text: str) -> views.EdgeView:
        """Lifts the halt of that epoch."""
        body = _LSN.pack(halt_epoch) + _words(operator_id, text)
        return views.edge_of(await self._call(_RESUME, body))

    async def defensive(self, cause: int, operator_id: str, text: str) -> views.EdgeView:
        """Revokes the lease in hand."""
        body = bytes([cause]) + _words(operator_id, text)
        return views.edge_of(await self._call(_DEFENSIVE, body))

    async def order(self, intent_id: bytes) -> views.OrderView | None:
        """One order; None when it was never confirmed."""
        answer = await self._call(_ORDER, intent_id)
        return views.order_of(answer) if answer else None

    async def orders(
        self, before_lsn: int, page: int, open_only: bool
    ) -> tuple[list[views.OrderView], int]:
        """Orders, newest first, and before_lsn of the next page."""
        body = struct.pack("<QIB", before_lsn, page, open_only)
        return views.orders_of(await self._call(_ORDERS, body))

    async def state(self) -> tuple[views.StateView, list[views.SymbolView]]:
        """A consistent copy of the state."""
        return views.state_of(await self._call(_STATE, b""))

    async def stop(self) -> None:
        """The engine takes no more work and its thread ends."""
        await self._call(_STOP, b"")

    async def _call(self, kind: int, body: bytes) -> bytes:
        correlation = self._next
        self._next += 1
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = future
        try:
            if not self._control.put(kind, _LSN.pack(correlation) + body):
                rejection = reject_reason_pb2.Rejection(
                    reason=reject_reason_pb2.REJECT_REASON_OVERLOADED, field="control_ring"
                )
                raise Denied(rejection)
            return await asyncio.wait_for(future, CALL_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable(
                "ENGINE_SILENT", "the engine did not answer", "engine", kind, f"{CALL_TIMEOUT_S} s"
            ) from None
        finally:
            del self._waiting[correlation]

    # ---- from the engine ---------------------------------------------------------------------

    def _readable(self) -> None:
        """Takes what is there, in bounded turns: a flood must not starve the event loop."""
        for _ in range(TURNS):
            records = self._output.get(RECORDS_A_TURN)
            if not records:
                return  # armed: the next record wakes us
            for kind, body in records:
                self._took(kind, body)
            self.wake()
        asyncio.get_running_loop().call_soon(self._readable)

    def _took(self, kind: int, body: bytes) -> None:
        if kind == _ANSWER:
            self._answered(body)
        elif kind == _VERDICT:
            self._judged(body)
        elif kind == _COMMITTED:
            self.committed_lsn = _LSN.unpack(body)[0]

    def _judged(self, body: bytes) -> None:
        if len(self.verdicts) >= VERDICTS_MAX:
            self.verdicts.popleft()
            self.verdicts_dropped += 1
        self.verdicts.append(body)

    def _answered(self, body: bytes) -> None:
        correlation, status = _LEAD.unpack_from(body)
        future = self._waiting.get(correlation)
        if future is None or future.done():
            return  # its caller gave up
        if status == _REJECTED:
            rejection = reject_reason_pb2.Rejection.FromString(body[_LEAD.size :])
            future.set_exception(Denied(rejection))
        else:
            future.set_result(body[_LEAD.size :])


def _words(operator_id: str, text: str) -> bytes:
    name = operator_id.encode("ascii", "replace")[:48]
    return bytes([len(name)]) + name + text.encode("ascii", "replace")[:128]


def _stopped() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "the service is stopping", hint="Reconnect later.")
