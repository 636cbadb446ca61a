"""Flatten: cancel everything, close every position, until the venue says flat.

Owns the loop and its bound. Works from the venue's positions, one reduce-only order a symbol at a
time. Must never call something flat that the venue did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from titan.trading.v1 import intent_pb2, order_pb2
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.ids import IdSource
from titan_mesh.instruments import Instrument
from titan_mesh.telemetry.logs import Log

from titan_execution.gateway.door import Door
from titan_execution.gateway.views import StateView, SymbolView
from titan_execution.identity import Identity

LIMIT_NS = 8_000_000_000
"""Longest flattening; what is not verified by then is named in the answer."""
LOOK_NS = 100_000_000
ORDER_TTL_NS = 2_000_000_000
PROTECTION_PPM = 20_000
PPM = 1_000_000
PAGE = 256


class Flattener:
    """Flattens the account on request."""

    def __init__(
        self,
        identity: Identity,
        instruments: Mapping[str, Instrument],
        door: Door,
        *,
        ids: IdSource,
        clock: Clock,
        log: Log,
    ) -> None:
        self._identity = identity
        self._instruments = instruments
        self._door = door
        self._ids = ids
        self._clock = clock
        self._log = log

    async def flatten(self, operator_id: str, text: str) -> list[str]:
        """What is not verified flat when it ends, in words; empty = the venue says flat."""
        self._log.warn("flatten", operator_id=operator_id, text=text)
        started_ns = self._clock.boottime_ns()
        acted_ns = started_ns
        while True:
            now_ns = self._clock.boottime_ns()
            state, symbols = await self._door.state()
            open_things = self._unverified(state, symbols, now_ns - acted_ns)
            if not open_things or now_ns - started_ns > LIMIT_NS:
                return open_things
            if await self._act(state, symbols, now_ns - acted_ns):
                acted_ns = self._clock.boottime_ns()
            await self._clock.sleep_until(now_ns + LOOK_NS)

    def _unverified(
        self, state: StateView, symbols: Sequence[SymbolView], since_ns: int
    ) -> list[str]:
        found = []
        if state.open_orders:
            found.append(f"{state.open_orders} working orders")
        for name, view in zip(self._identity.symbols, symbols, strict=True):
            if not _fresh(view, since_ns):
                found.append(f"{name}: the venue has not answered yet")
            elif view.venue_position_lots:
                found.append(f"{name}: the venue says {view.venue_position_lots} lots")
        return found

    async def _act(self, state: StateView, symbols: Sequence[SymbolView], since_ns: int) -> bool:
        """Cancels first; closes only when nothing works any more."""
        if state.open_orders:
            return await self._cancel_all()
        acted = False
        for name, view in zip(self._identity.symbols, symbols, strict=True):
            if _fresh(view, since_ns) and view.venue_position_lots:
                acted = await self._close(name, view) or acted
        return acted

    async def _cancel_all(self) -> bool:
        orders, _ = await self._door.orders(0, PAGE, True)
        for order in orders:
            try:
                await self._door.cancel(order.intent_id)
            except TitanError as fault:
                self._log.info("flatten_cancel", intent_id=order.intent_id, fault=fault)
        return False

    async def _close(self, symbol: str, view: SymbolView) -> bool:
        intent = self._closing_intent(symbol, view)
        try:
            await self._door.submit(intent.SerializeToString())
        except TitanError as fault:
            self._log.warn("flatten_close", symbol=symbol, fault=fault)
            return False
        return True

    def _closing_intent(self, symbol: str, view: SymbolView) -> intent_pb2.IntentSignal:
        spec = self._instruments[symbol].spec
        sells = view.venue_position_lots > 0
        lots = min(abs(view.venue_position_lots), spec.max_qty_lots)
        if view.holder_lots:
            lots = min(lots, abs(view.holder_lots))
        half = view.mid_half_ticks
        price = (
            half * (PPM - PROTECTION_PPM) // (2 * PPM)
            if sells
            else -(-half * (PPM + PROTECTION_PPM) // (2 * PPM))
        )
        return intent_pb2.IntentSignal(
            intent_id=self._ids.intent_id(),
            policy_hash=self._identity.policy_hash,
            phase_id=self._identity.phases[view.holder],
            account=self._identity.account,
            symbol=symbol,
            instrument_version=spec.version,
            side=order_pb2.SIDE_SELL if sells else order_pb2.SIDE_BUY,
            order_type=order_pb2.ORDER_TYPE_MARKET,
            time_in_force=order_pb2.TIME_IN_FORCE_IOC,
            qty_lots=lots,
            price_ticks=max(price, 1),
            reduce_only=True,
            created_at_ns=self._clock.unix_ns(),
            expires_at_boottime_ns=self._clock.boottime_ns() + ORDER_TTL_NS,
            rule="flatten",
        )


def _fresh(view: SymbolView, since_ns: int) -> bool:
    """The venue answered after the last act, with nothing in flight."""
    return bool(view.comparable) and 0 <= view.venue_age_ns < max(since_ns, 1)
