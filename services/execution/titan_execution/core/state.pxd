# cython: language_level=3
"""The tables of the engine: every piece of trading state, in one place, owned by one writer.

Owns layout, allocation and the staging buffers for what leaves a step. Must never know sockets,
files or clocks: boottime_ns and unix_ns are set by whoever calls.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from titan_execution.core.records cimport View
from titan_execution.core.tables cimport *


cdef struct Stage:
    uint8_t *bytes
    int64_t size
    int64_t limit


cdef struct Query:
    uint64_t request_id
    int64_t sent_ns
    uint32_t slot
    int32_t verb                       # VenueVerb


cdef struct Counters:
    uint64_t prepared
    uint64_t confirmed
    uint64_t refused
    uint64_t verdicts
    uint64_t verdicts_dropped
    uint64_t late_fills
    uint64_t duplicate_fills
    uint64_t orphans
    uint64_t external_orders
    uint64_t alarms                    # the venue contradicted itself
    uint64_t unread_events             # venue messages that do not decode
    uint64_t stale_events              # venue events that named nothing we know
    uint64_t refused_by_reason[64]


cdef enum LinkState:
    LINK_DOWN = 0
    LINK_LOGON = 1
    LINK_UP = 2


cdef enum SweepStage:
    SWEEP_IDLE = 0
    SWEEP_ORDERS = 1                   # asking about each order we are not sure of
    SWEEP_OPEN = 2                     # QueryOpenOrders under way
    SWEEP_POSITIONS = 3                # QueryPositions under way


cdef enum Plant:
    # Test-only faults; __main__ refuses them outside a marked home.
    PLANT_NONE = 0
    PLANT_ACK_BEFORE_WRITE = 1
    PLANT_RESEND_AT_RECOVERY = 2


cdef struct Engine:
    char account[NAME_BYTES]
    int32_t account_size
    char venue[NAME_BYTES]
    int32_t venue_size
    int64_t boottime_ns
    int64_t unix_ns
    uint64_t epoch
    uint64_t next_lsn
    int32_t plant
    uint8_t stopping
    int64_t (*stopwatch)() noexcept nogil    # for gate_latency_ns alone, never for a decision

    Policy policy
    LeaseState lease
    int32_t halted
    int32_t halt_cause
    uint64_t halt_epoch
    uint64_t halt_lsn
    int32_t edge_state                 # as last journaled
    int32_t edge_cause

    SymbolState *symbols
    int32_t n_symbols
    PhaseState *phases
    int32_t n_phases
    int64_t day                        # UTC day of day_base
    int64_t day_base_nanos

    Slot *slots
    uint32_t n_slots                   # ever taken
    uint32_t slots_limit
    uint32_t lapsed_head               # reservations that ended, oldest first: recycled when needed
    uint32_t lapsed_tail
    uint32_t n_lapsed
    uint32_t *by_id                    # slot + 1
    uint32_t *by_order_id
    uint32_t index_mask
    uint32_t *confirmed                # slots in the order of their CONFIRMED records
    uint32_t n_confirmed
    Reservation *reservations
    int32_t reservation_free
    int32_t n_prepared
    OpenRef *open
    int32_t n_open
    uint64_t *trades                   # pairs of words; both 0 = empty
    uint64_t n_trades
    uint64_t trades_mask

    int64_t rate_count[RATE_BUCKETS]
    int64_t rate_slot[RATE_BUCKETS]
    int64_t rate_total
    Recent recent[RECENT_MAX]
    uint32_t n_recent

    int32_t link
    uint8_t reconciled
    uint64_t next_request_id
    int32_t sweep
    Query queries[QUERIES_IN_FLIGHT]
    int32_t n_queries
    uint64_t sweep_request_id
    uint32_t sweep_count
    int64_t sweep_due_ns
    int64_t sweep_deadline_ns
    uint64_t sweep_events              # order events counted when it was asked
    uint64_t order_events
    uint8_t sweep_quiet
    uint8_t resync_wanted              # a book has a gap: the link must start anew
    int32_t wants_halt                 # BreakerCause of a halt that ends the event; 0 = none
    int32_t venue_open_orders          # -1 = never asked
    int32_t n_unknown
    int32_t n_verify
    int32_t n_cancel_wanted
    uint64_t venue_epoch
    int64_t ack_latency_ns
    int64_t clock_offset_ns
    int64_t next_due_ns                # lower bound of every deadline_ns
    int64_t *level_ticks
    int64_t *level_lots

    Stage records                      # u32 size | u8 kind | u64 lsn | body
    Stage venue_out
    Stage verdicts                     # u32 size | body
    Counters counters


cdef Engine *engine_new(uint32_t slots_limit) noexcept nogil
cdef void engine_free(Engine *engine) noexcept nogil
cdef void engine_warm(Engine *engine) noexcept nogil

cdef inline void engine_at(Engine *engine, int64_t boottime_ns, int64_t unix_ns) noexcept nogil:
    """Sets the time of the step."""
    engine.boottime_ns = boottime_ns
    engine.unix_ns = unix_ns


cdef inline View view_of(const void *at, int32_t size) noexcept nogil:
    """A view of bytes that someone else keeps."""
    cdef View view
    view.at = <const uint8_t *>at
    view.size = size
    return view
