# cython: language_level=3
"""Rows of the engine's tables and their bounds: slots, symbols, phases, policy, lease.

Owns layout and maxima. Must never know who reads or writes a row.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from titan_book.book cimport Book
from titan_execution.core.records cimport HASH_BYTES, ID_BYTES, Checks


cdef enum:
    INTENTS_MAX_LOG2 = 20              # slots for ever answerable
    INTENTS_WARM = 32768               # slots faulted in before the socket opens
    PREPARED_MAX = 4096                # reservations at one time
    INTENT_BYTES_MAX = 4096            # encoded IntentSignal
    OPEN_MAX = 8192                    # reservations and working orders at one time
    TRADES_MAX_LOG2 = 21               # trade keys remembered
    SYMBOLS_MAX = 64
    PHASES_MAX = 16
    RATE_BUCKETS = 21                  # 20 whole buckets of 50 ms and the running one
    RECENT_MAX = 1024                  # orders remembered by the duplicate window
    REPEATS_MAX = 32                   # rejected orders remembered per phase
    QUERIES_IN_FLIGHT = 64
    LEVELS_MAX = 8192                  # levels of one side in one book event
    RECORDS_BYTES = 8388608            # staged records of one step
    VENUE_BYTES = 4194304              # staged venue requests of one step
    VERDICTS_BYTES = 1048576           # staged verdicts of one step
    NAME_BYTES = 32


cdef enum:
    NO_SLOT = 0xffffffff


cdef enum SlotFlag:
    FLAG_COUNTED = 1                   # its leaves are in the open sums
    FLAG_CANCEL_WANTED = 2             # cancel as soon as rate and state allow
    FLAG_RECOVERED = 4                 # made UNKNOWN by recovery; gates its symbol
    FLAG_REDUCE_ONLY = 8
    FLAG_VERIFY = 16                   # to be asked about after a logon
    FLAG_ASKING_TRADES = 32            # QueryTrades is under way
    FLAG_LAPSED = 64                   # its reservation ended by TTL


cdef struct Slot:
    uint8_t intent_id[ID_BYTES]
    uint8_t digest[HASH_BYTES]
    char client_order_id[28]
    char venue_order_id[37]
    uint8_t intent_state
    uint8_t ord_status
    uint8_t side
    uint8_t order_type
    uint8_t time_in_force
    uint8_t flags
    uint16_t symbol
    uint16_t phase
    int32_t reservation                # index in reservations; -1 = none
    int32_t open_at                    # index in open; -1 = none
    uint32_t next_lapsed               # list of lapsed reservations, oldest first
    uint32_t prev_lapsed
    uint64_t token
    int64_t qty_lots
    int64_t price_ticks
    int64_t cum_lots
    int64_t leaves_lots
    int64_t expires_boottime_ns        # of the intent
    int64_t prepare_expires_ns         # of the reservation
    uint64_t confirmed_lsn
    uint64_t last_lsn
    uint64_t cancel_lsn
    int64_t sent_ns                    # boottime of the signature
    int64_t unknown_since_ns
    int64_t deadline_ns                # next time something is due for it; 0 = nothing
    int64_t not_found_ns               # first NOT_FOUND after the fence
    uint64_t query_id                  # request under way; 0 = none
    int64_t query_sent_ns
    int64_t found_cum_lots             # what the venue said while trades are asked for
    uint8_t found_status
    uint8_t queries                    # unanswered or failed in a row, saturating


cdef struct Reservation:
    uint8_t raw[INTENT_BYTES_MAX]
    Checks checks
    uint8_t policy_hash[HASH_BYTES]
    int32_t raw_size
    int32_t next_free
    int64_t prepared_ns


cdef struct OpenRef:
    int64_t price_ticks
    uint32_t slot
    uint16_t symbol
    uint8_t side
    uint8_t resting                    # 1 = could rest: counts for self-trade


cdef struct SymbolState:
    char symbol[NAME_BYTES]
    int32_t symbol_size
    uint32_t version
    int32_t kind                       # ContractKind
    # instrument and policy
    int64_t nanos_per_tick_lot
    int64_t min_qty_lots
    int64_t max_qty_lots
    int64_t min_notional_nanos
    int64_t max_order_qty_lots
    int64_t max_order_notional_nanos
    int64_t max_position_lots
    int64_t max_book_age_ns
    int64_t collar_ppm
    int64_t max_impact_ppm
    int64_t max_open_orders
    # shadow
    int64_t position_lots
    int64_t open_buy_lots
    int64_t open_sell_lots
    int64_t open_orders
    int64_t cash_nanos
    int64_t fee_nanos
    int64_t last_fill_ticks
    int64_t recovering                 # orders recovery made UNKNOWN and not yet answered
    # book
    Book book
    int64_t book_boottime_ns           # stamp of the newest event; 0 = never
    int64_t mid_half_ticks             # newest mid of a live book; 0 = never
    # venue's word
    int64_t venue_position_lots
    int64_t venue_position_ns          # boottime of that answer; 0 = never
    int64_t mismatch_lots              # difference at the last comparable answer
    uint8_t venue_comparable
    uint8_t seen_in_sweep


cdef struct PhaseSymbol:
    int64_t position_lots
    int64_t open_buy_lots
    int64_t open_sell_lots
    int64_t cash_nanos
    int64_t fee_nanos


cdef struct Repeat:
    uint64_t key
    int64_t window_start_ns
    int64_t count


cdef struct PhaseState:
    char phase_id[NAME_BYTES]
    int32_t phase_size
    int64_t max_notional_nanos
    int64_t max_daily_loss_nanos
    int64_t max_repeats
    int64_t lease_notional_nanos
    int64_t day_base_nanos             # equity of the phase at the start of the UTC day
    uint8_t lease_allowed
    uint8_t latched                    # repeat throttle
    PhaseSymbol symbol[SYMBOLS_MAX]
    Repeat repeats[REPEATS_MAX]


cdef struct Policy:
    uint8_t hash[HASH_BYTES]
    uint8_t previous_hash[HASH_BYTES]
    int64_t previous_until_ns          # boottime; 0 = no previous hash
    int64_t max_gross_nanos
    int64_t equity_nanos
    int64_t max_leverage_pct
    int64_t max_daily_loss_nanos
    int64_t max_messages
    int64_t cancel_reserve_pct
    int64_t duplicate_window_ns
    int64_t prepare_ttl_ns
    int64_t max_intent_ttl_ns
    int64_t request_expiry_ns
    int64_t visibility_lag_ns
    int64_t fence_ns                   # request expiry + queue + visibility + 2 clock errors + margin
    int64_t min_score_open


cdef struct LeaseState:
    uint64_t brain_epoch               # highest ever seen
    uint64_t sequence
    int64_t expires_ns                 # boottime; 0 = none
    int64_t max_gross_nanos
    int64_t max_leverage_pct
    int64_t truth_score
    int64_t min_score_open
    int32_t state
    uint8_t granted                    # a lease was granted since start


cdef struct Recent:
    int64_t at_ns
    int64_t price_ticks
    int64_t qty_lots
    uint32_t slot
    uint16_t symbol
    uint8_t side
