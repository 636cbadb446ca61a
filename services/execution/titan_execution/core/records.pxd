# cython: language_level=3
"""C records that pass between the modules of the core: what was said, decoded.

Owns their layout. Must never know how they arrive or what is done with them. Text and bytes are
views into the record's scratch or the buffer it was decoded from; whoever keeps one copies it, and
a decoded record is never moved.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef enum:
    ID_BYTES = 16
    HASH_BYTES = 32
    CHECKS_MAX = 32
    FIELD_BYTES = 48
    BUDGETS_MAX = 16


cdef struct View:
    const uint8_t *at
    int32_t size


cdef struct Check:
    int64_t value
    int64_t limit
    int32_t reason         # RejectReason
    uint8_t passed


cdef struct Checks:
    Check item[CHECKS_MAX]
    int32_t count


cdef struct Rejection:
    int64_t value
    int64_t limit
    int32_t reason         # RejectReason; 0 = none
    char field[FIELD_BYTES]


cdef struct Intent:
    uint8_t intent_id[ID_BYTES]
    uint8_t policy_hash[HASH_BYTES]
    uint8_t digest[HASH_BYTES]         # SHA-256 of raw
    View phase_id
    View account
    View symbol
    View raw                           # the bytes as received
    int64_t qty_lots
    int64_t price_ticks
    int64_t expires_boottime_ns
    View supersedes                    # empty = none
    uint32_t instrument_version
    int32_t side
    int32_t order_type
    int32_t time_in_force
    uint8_t reduce_only
    uint64_t scratch[88]               # the generated struct behind the views


cdef struct IntentRef:
    # CONFIRM, ABORT, STATUS, CANCEL: the intent and, for CONFIRM, its token.
    uint8_t intent_id[ID_BYTES]
    uint64_t token


cdef struct Answer:
    # What a verb answers; frame_type says which fields count.
    uint8_t intent_id[ID_BYTES]
    uint8_t digest[HASH_BYTES]
    Rejection rejection
    char client_order_id[40]
    uint64_t token
    uint64_t lsn
    uint64_t echo
    uint64_t halt_epoch
    int64_t expires_boottime_ns
    int64_t boottime_ns
    int64_t cum_qty_lots
    int64_t leaves_qty_lots
    int32_t frame_type     # FrameType
    int32_t intent_state
    int32_t state          # TradingState
    uint8_t has_id
    uint8_t has_digest


cdef struct Report:
    # One journal record: titan.execution.v1.ExecutionReport.
    uint64_t lsn
    uint64_t epoch
    uint64_t halt_epoch
    uint64_t brain_epoch
    uint64_t lease_sequence
    int64_t recorded_at_ns
    int64_t recorded_boottime_ns
    int64_t order_qty_lots
    int64_t price_ticks
    int64_t last_qty_lots
    int64_t last_price_ticks
    int64_t cum_qty_lots
    int64_t leaves_qty_lots
    int64_t fee_nanos
    int64_t venue_time_ns
    int64_t position_lots
    int64_t prepared_boottime_ns
    View account
    View policy_hash
    View intent_id
    View phase_id
    View symbol
    View client_order_id
    View venue_order_id
    View trade_id
    View venue_code
    View text
    View intent_digest
    View intent
    View operator_id
    const Checks *checks
    int32_t kind
    int32_t exec_type
    int32_t ord_status
    int32_t side
    int32_t liquidity
    int32_t reject_reason
    int32_t state
    int32_t cause
    uint8_t send_imminent
    uint8_t restated
    uint64_t scratch[260]              # used by decoding only


cdef struct Budget:
    View phase_id
    int64_t max_notional_nanos
    uint8_t allowed


cdef struct Lease:
    View account
    View policy_hash
    uint64_t brain_epoch
    uint64_t lease_sequence
    uint64_t halt_epoch
    uint64_t applied_lsn
    int64_t max_gross_notional_nanos
    uint32_t ttl_ms
    uint32_t truth_score
    uint32_t min_score_open
    uint32_t max_leverage_pct
    int32_t state
    int32_t cause
    int32_t n_budgets
    Budget budgets[BUDGETS_MAX]
    uint64_t scratch[120]


cdef struct Verdict:
    const Intent *intent
    const Checks *checks
    const Rejection *rejection     # NULL when approved
    uint64_t sequence
    uint64_t dropped_before
    uint64_t epoch
    int64_t decided_at_ns
    int64_t gate_latency_ns


cdef enum VenueEventKind:
    VENUE_NONE = 0
    VENUE_LOGON_ACCEPTED = 1
    VENUE_ORDER_ACK = 2
    VENUE_ORDER_REJECT = 3
    VENUE_TRADE = 4
    VENUE_ORDER_CANCELED = 5
    VENUE_CANCEL_REJECT = 6
    VENUE_ORDER_STATE = 7
    VENUE_POSITION = 8
    VENUE_QUERY_END = 9
    VENUE_REQUEST_REFUSED = 10
    VENUE_BOOK_SNAPSHOT = 11
    VENUE_BOOK_DELTA = 12
    VENUE_PUBLIC_TRADE = 13


cdef struct VenueEvent:
    # One event of the venue socket, flattened; kind says which fields count.
    View client_order_id
    View venue_order_id
    View trade_id
    View symbol
    View code
    View text
    View bid_ticks         # packed varints of book events
    View bid_lots
    View ask_ticks
    View ask_lots
    uint64_t request_id
    uint64_t event_sequence
    uint64_t update_id
    uint64_t prev_update_id
    uint64_t venue_epoch
    int64_t qty_lots
    int64_t price_ticks
    int64_t fee_nanos
    int64_t cum_qty_lots
    int64_t leaves_qty_lots
    int64_t venue_time_ns
    int64_t position_lots
    int64_t event_boottime_ns
    int64_t boottime_ns
    int32_t kind
    int32_t ord_status
    int32_t side
    int32_t liquidity
    uint32_t count
    uint8_t found
    uint8_t complete
    uint8_t expired
    uint8_t replayed
    uint64_t scratch[64]


cdef enum VenueVerb:
    VERB_LOGON = 1
    VERB_SUBMIT = 2
    VERB_CANCEL = 3
    VERB_QUERY_ORDER = 4
    VERB_QUERY_OPEN_ORDERS = 5
    VERB_QUERY_TRADES = 6
    VERB_QUERY_POSITIONS = 7


cdef struct VenueRequest:
    View client_order_id
    View symbol
    View account
    uint64_t request_id
    int64_t qty_lots
    int64_t price_ticks
    int64_t signed_boottime_ns
    int64_t expires_boottime_ns
    int32_t verb
    int32_t side
    int32_t order_type
    int32_t time_in_force
    uint8_t reduce_only
