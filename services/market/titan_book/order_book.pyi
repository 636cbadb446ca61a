"""Python view of the compiled order book; see order_book.pyx."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from typing_extensions import Buffer

Level = tuple[int, int]

class BookSide(IntEnum):
    BID = 0
    ASK = 1

class SequenceRule(IntEnum):
    NONE = 0
    BINANCE_SPOT = 1
    BINANCE_USDM = 2
    BINANCE_COINM = 3
    BYBIT_V5 = 4
    CHAINED = 5

class BookState(IntEnum):
    EMPTY = 0
    SYNCING = 1
    LIVE = 2
    GAP = 3
    CROSSED = 4
    STALE = 5

class BookCode(IntEnum):
    OK = 0
    IGNORED = 1
    NOT_READY = 2
    GAP = 3
    CROSSED = 4
    BAD_LEVEL = 5
    NO_RULE = 6
    NO_MEMORY = 7

class DepthWalk(NamedTuple):
    filled_lots: int
    worst_ticks: int
    levels: int
    vwap_micro_ticks: int
    impact_ppm: int

class OrderBook:
    def __init__(self, rule: int, window_log2: int = ..., overflow_limit: int = ...) -> None: ...
    def apply_snapshot(
        self,
        last_update_id: int,
        bids: Sequence[Level],
        asks: Sequence[Level],
        update_ns: int = 0,
    ) -> int: ...
    def apply_delta(
        self,
        first_update_id: int,
        last_update_id: int,
        prev_update_id: int,
        bids: Sequence[Level],
        asks: Sequence[Level],
        update_ns: int = 0,
    ) -> int: ...
    def apply_batch(self, headers: Buffer, ticks: Buffer, lots: Buffer) -> int: ...
    def set_level(self, side: int, ticks: int, lots: int) -> int: ...
    def clear(self) -> None: ...
    def check_stale(self, now_ns: int, stale_after_ns: int) -> int: ...
    @property
    def state(self) -> int: ...
    @property
    def rule(self) -> int: ...
    @property
    def last_update_id(self) -> int: ...
    @property
    def last_update_ns(self) -> int: ...
    @property
    def updates(self) -> int: ...
    @property
    def gaps(self) -> int: ...
    @property
    def dropped_levels(self) -> int: ...
    def best(self, side: int) -> Level | None: ...
    def lots_at(self, side: int, ticks: int) -> int: ...
    def levels(self, side: int, limit: int) -> list[Level]: ...
    def walk(self, side: int, lots: int, limit_ticks: int = 0) -> DepthWalk: ...
    def depth_lots(self, side: int, levels: int) -> int: ...
    def imbalance_ppm(self, levels: int) -> int: ...
    def digest(self) -> int: ...
