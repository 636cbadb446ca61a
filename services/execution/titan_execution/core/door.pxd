# cython: language_level=3
"""Control from Python: one message of the control ring, one answer for the output ring."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from titan_execution.core.records cimport ID_BYTES
from titan_execution.core.state cimport Engine, Stage


cdef enum ControlKind:
    CONTROL_SUBMIT = 1      # u64 correlation | encoded IntentSignal
    CONTROL_CANCEL = 2      # u64 | intent id
    CONTROL_LEASE = 3       # u64 | encoded RiskLease
    CONTROL_HALT = 4        # u64 | u8 cause | u8 size, operator id | text
    CONTROL_RESUME = 5      # u64 | u64 halt epoch | u8 size, operator id | text
    CONTROL_DEFENSIVE = 6   # as HALT
    CONTROL_ORDER = 7       # u64 | intent id
    CONTROL_ORDERS = 8      # u64 | u64 before lsn | u32 page | u8 open only
    CONTROL_STATE = 9       # u64
    CONTROL_STOP = 10       # u64


cdef enum OutputKind:
    OUTPUT_VERDICT = 1      # encoded PrepareVerdict
    OUTPUT_ANSWER = 2       # u64 correlation | u8 status (AnswerStatus) | body
    OUTPUT_COMMITTED = 3    # u64 LSN: the journal is committed up to it


cdef enum AnswerStatus:
    ANSWER_OK = 0
    ANSWER_REJECTED = 1     # body: encoded Rejection


cdef packed struct OrderView:
    uint8_t intent_id[ID_BYTES]
    char client_order_id[28]
    char venue_order_id[37]
    uint8_t side
    uint8_t order_type
    uint8_t time_in_force
    uint8_t ord_status
    uint8_t intent_state
    uint8_t reduce_only
    uint16_t symbol
    uint16_t phase
    int64_t qty_lots
    int64_t price_ticks
    int64_t cum_lots
    int64_t leaves_lots
    uint64_t confirmed_lsn
    uint64_t last_lsn


cdef packed struct SymbolView:
    int64_t position_lots
    int64_t open_buy_lots
    int64_t open_sell_lots
    int64_t cash_nanos
    int64_t fee_nanos
    int64_t bid_ticks
    int64_t ask_ticks
    int64_t book_age_ns     # -1 = never
    int64_t update_id
    int64_t mid_half_ticks
    int64_t venue_position_lots
    int64_t venue_age_ns    # -1 = never
    int64_t holder_lots     # position of the phase that holds most of it, on its side
    uint8_t book_live
    uint8_t comparable
    uint8_t holder          # index of that phase


cdef packed struct StateView:
    uint64_t epoch
    uint64_t last_lsn
    uint64_t halt_epoch
    uint64_t halt_lsn
    uint64_t brain_epoch
    int64_t boottime_ns
    int64_t lease_expires_ns
    int64_t oldest_unknown_ns
    int64_t ack_latency_ns
    int64_t clock_offset_ns
    uint64_t prepared_total
    uint64_t confirmed_total
    uint64_t refused_total
    uint64_t verdicts_dropped
    uint64_t duplicate_fills
    uint64_t late_fills
    uint64_t orphans
    uint64_t external_orders
    int32_t venue_open_orders
    uint32_t open_orders
    uint32_t prepared
    uint32_t unknown_orders
    uint32_t sessions
    uint8_t state
    uint8_t cause
    uint8_t link
    uint8_t reconciled
    uint8_t lease_granted
    uint8_t n_symbols


# Serves one control message; the answer is staged as u32 size | u64 correlation | u8 status | body.
cdef bint door_serve(Engine *engine, uint8_t kind, const uint8_t *body, uint32_t size,
                     int32_t sessions, Stage *answers) noexcept nogil
