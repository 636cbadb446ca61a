# cython: language_level=3
"""The engine as Python holds it: built from policy and instruments, fed the journal, then lent out.

Owns the memory of one engine and its set-up. Must never be touched by Python while a loop runs it.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from titan_book.book cimport CODE_OK, RULE_CHAINED, book_init
from titan_execution.core.control cimport on_start
from titan_execution.core.replay cimport replay_finish, replay_record
from titan_execution.core.shadow cimport shadow_hash
from titan_execution.core.state cimport (
    INTENTS_MAX_LOG2, NAME_BYTES, PHASES_MAX, PLANT_ACK_BEFORE_WRITE, PLANT_NONE,
    PLANT_RESEND_AT_RECOVERY, SYMBOLS_MAX, PhaseState, SymbolState, engine_at, engine_free,
    engine_new, engine_warm,
)

PLANTS = {
    "": PLANT_NONE,
    "ack_before_write": PLANT_ACK_BEFORE_WRITE,
    "resend_at_recovery": PLANT_RESEND_AT_RECOVERY,
}
REPLAY_TEXT = {
    -1: "the body does not decode",
    -2: "its LSN is not the next one",
    -3: "it belongs to another account",
    -4: "its symbol or phase is not in the policy",
    -5: "it names an order that was never confirmed",
    -6: "the intent table is full",
    -7: "this build does not know its kind",
}
BOOK_WINDOW_LOG2 = 13
BOOK_OVERFLOW = 8192


class ReplayFailed(Exception):
    """A record that cannot be applied: the start is refused."""

    def __init__(self, lsn, code):
        super().__init__(f"journal record {lsn}: {REPLAY_TEXT.get(code, code)}")
        self.lsn = lsn
        self.code = code


cdef int32_t _name(char *to, str name) except -1:
    raw = name.encode("ascii")
    if not 0 < len(raw) < NAME_BYTES:
        raise ValueError(f"name {name!r} must have 1 to {NAME_BYTES - 1} ASCII characters")
    memset(to, 0, NAME_BYTES)
    memcpy(to, <const char *>raw, len(raw))
    return <int32_t>len(raw)


cdef class EngineHost:
    """One engine: set_policy, add_symbol, add_phase, then replay, then start."""

    def __cinit__(self, str account, str venue, int slots_log2=INTENTS_MAX_LOG2, str plant=""):
        self.engine = engine_new(<uint32_t>1 << slots_log2)
        if self.engine == NULL:
            raise MemoryError("no memory for the engine's tables")
        self.engine.account_size = _name(self.engine.account, account)
        self.engine.venue_size = _name(self.engine.venue, venue)
        self.engine.plant = PLANTS[plant]
        engine_warm(self.engine)

    def __dealloc__(self):
        engine_free(self.engine)

    def set_policy(self, bytes policy_hash, *, int64_t max_gross_nanos, int64_t equity_nanos,
                   int64_t max_leverage_pct, int64_t max_daily_loss_nanos, int64_t max_messages,
                   int64_t cancel_reserve_pct, int64_t duplicate_window_ns, int64_t prepare_ttl_ns,
                   int64_t max_intent_ttl_ns, int64_t request_expiry_ns, int64_t visibility_lag_ns,
                   int64_t fence_ns, int64_t min_score_open, bytes previous_hash=b"",
                   int64_t previous_until_ns=0):
        """Limits of the account and the bounds of the venue."""
        policy = &self.engine.policy
        if len(policy_hash) != 32:
            raise ValueError("policy_hash must have 32 bytes")
        memcpy(&policy.hash[0], <const uint8_t *>policy_hash, 32)
        if previous_hash:
            memcpy(&policy.previous_hash[0], <const uint8_t *>previous_hash, 32)
        policy.previous_until_ns = previous_until_ns
        policy.max_gross_nanos = max_gross_nanos
        policy.equity_nanos = equity_nanos
        policy.max_leverage_pct = max_leverage_pct
        policy.max_daily_loss_nanos = max_daily_loss_nanos
        policy.max_messages = max_messages
        policy.cancel_reserve_pct = cancel_reserve_pct
        policy.duplicate_window_ns = duplicate_window_ns
        policy.prepare_ttl_ns = prepare_ttl_ns
        policy.max_intent_ttl_ns = max_intent_ttl_ns
        policy.request_expiry_ns = request_expiry_ns
        policy.visibility_lag_ns = visibility_lag_ns
        policy.fence_ns = fence_ns
        policy.min_score_open = min_score_open

    def add_symbol(self, str symbol, *, uint32_t version, int kind, int64_t nanos_per_tick_lot,
                   int64_t min_qty_lots, int64_t max_qty_lots, int64_t min_notional_nanos,
                   int64_t max_order_qty_lots, int64_t max_order_notional_nanos,
                   int64_t max_position_lots, int64_t max_book_age_ns, int64_t collar_ppm,
                   int64_t max_impact_ppm, int64_t max_open_orders):
        """One instrument of the policy with its specification."""
        cdef SymbolState *state
        if self.engine.n_symbols >= SYMBOLS_MAX:
            raise ValueError(f"at most {SYMBOLS_MAX} symbols")
        state = &self.engine.symbols[self.engine.n_symbols]
        state.symbol_size = _name(state.symbol, symbol)
        if book_init(&state.book, RULE_CHAINED, BOOK_WINDOW_LOG2, BOOK_OVERFLOW) != CODE_OK:
            raise MemoryError(f"no memory for the book of {symbol}")
        state.version = version
        state.kind = kind
        state.nanos_per_tick_lot = nanos_per_tick_lot
        state.min_qty_lots = min_qty_lots
        state.max_qty_lots = max_qty_lots
        state.min_notional_nanos = min_notional_nanos
        state.max_order_qty_lots = max_order_qty_lots
        state.max_order_notional_nanos = max_order_notional_nanos
        state.max_position_lots = max_position_lots
        state.max_book_age_ns = max_book_age_ns
        state.collar_ppm = collar_ppm
        state.max_impact_ppm = max_impact_ppm
        state.max_open_orders = max_open_orders
        self.engine.n_symbols += 1

    def add_phase(self, str phase_id, *, int64_t max_notional_nanos, int64_t max_daily_loss_nanos,
                  int64_t max_repeats):
        """One phase of the policy."""
        cdef PhaseState *state
        if self.engine.n_phases >= PHASES_MAX:
            raise ValueError(f"at most {PHASES_MAX} phases")
        state = &self.engine.phases[self.engine.n_phases]
        state.phase_size = _name(state.phase_id, phase_id)
        state.max_notional_nanos = max_notional_nanos
        state.max_daily_loss_nanos = max_daily_loss_nanos
        state.max_repeats = max_repeats
        state.lease_notional_nanos = -1
        self.engine.n_phases += 1

    def replay(self, bytes body):
        """Applies one journal record."""
        cdef uint64_t lsn = self.engine.next_lsn
        cdef int code
        cdef const uint8_t *data = body
        cdef int32_t size = <int32_t>len(body)
        with nogil:
            code = replay_record(self.engine, data, size)
        if code:
            raise ReplayFailed(lsn, code)

    def start(self, uint64_t epoch, int64_t boottime_ns, int64_t unix_ns):
        """Ends recovery: EPOCH record, then what the crash left open; all staged, nothing written."""
        engine_at(self.engine, boottime_ns, unix_ns)
        self.engine.epoch = epoch
        on_start(self.engine)
        replay_finish(self.engine)

    def drain_records(self):
        """Takes what is staged: (kind, lsn, body) in order; only before a loop has the engine."""
        cdef int64_t at = 0
        cdef uint32_t size
        cdef uint64_t lsn
        cdef uint8_t *data = self.engine.records.bytes
        out = []
        while at < self.engine.records.size:
            memcpy(&size, data + at, 4)
            memcpy(&lsn, data + at + 5, 8)
            out.append((data[at + 4], lsn, (<const char *>data)[at + 13:at + 13 + size]))
            at += 13 + <int64_t>size
        self.engine.records.size = 0
        return out

    @property
    def next_lsn(self):
        """LSN of the next record."""
        return self.engine.next_lsn

    @property
    def halted(self):
        """True: the halt latch is set."""
        return bool(self.engine.halted)

    @property
    def unknown_orders(self):
        """Orders whose outcome is not known."""
        return self.engine.n_unknown

    def state_hash(self):
        """Hash of everything that recovery must bring back."""
        return shadow_hash(self.engine)
