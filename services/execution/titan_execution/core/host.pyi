class ReplayFailed(Exception):
    lsn: int
    code: int

class EngineHost:
    def __init__(self, account: str, venue: str, slots_log2: int = 20, plant: str = "") -> None: ...
    def set_policy(
        self,
        policy_hash: bytes,
        *,
        max_gross_nanos: int,
        equity_nanos: int,
        max_leverage_pct: int,
        max_daily_loss_nanos: int,
        max_messages: int,
        cancel_reserve_pct: int,
        duplicate_window_ns: int,
        prepare_ttl_ns: int,
        max_intent_ttl_ns: int,
        request_expiry_ns: int,
        visibility_lag_ns: int,
        fence_ns: int,
        min_score_open: int,
        previous_hash: bytes = b"",
        previous_until_ns: int = 0,
    ) -> None: ...
    def add_symbol(
        self,
        symbol: str,
        *,
        version: int,
        kind: int,
        nanos_per_tick_lot: int,
        min_qty_lots: int,
        max_qty_lots: int,
        min_notional_nanos: int,
        max_order_qty_lots: int,
        max_order_notional_nanos: int,
        max_position_lots: int,
        max_book_age_ns: int,
        collar_ppm: int,
        max_impact_ppm: int,
        max_open_orders: int,
    ) -> None: ...
    def add_phase(
        self,
        phase_id: str,
        *,
        max_notional_nanos: int,
        max_daily_loss_nanos: int,
        max_repeats: int,
    ) -> None: ...
    def replay(self, body: bytes) -> None: ...
    def start(self, epoch: int, boottime_ns: int, unix_ns: int) -> None: ...
    def drain_records(self) -> list[tuple[int, int, bytes]]: ...
    @property
    def next_lsn(self) -> int: ...
    @property
    def halted(self) -> bool: ...
    @property
    def unknown_orders(self) -> int: ...
    def state_hash(self) -> int: ...
