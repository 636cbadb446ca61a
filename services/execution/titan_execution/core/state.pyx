# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Allocation of the engine's tables: once, at start; nothing is allocated afterwards.

Owns the memory. Must never know what the tables mean.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from titan_book.book cimport book_free


cdef int _stage_new(Stage *stage, int64_t limit) noexcept nogil:
    stage.bytes = <uint8_t *>calloc(1, limit)
    stage.limit = limit
    stage.size = 0
    return 0 if stage.bytes != NULL else -1


cdef Engine *engine_new(uint32_t slots_limit) noexcept nogil:
    """Every table of an engine with room for slots_limit intents (a power of two); NULL: no memory."""
    cdef Engine *engine = <Engine *>calloc(1, sizeof(Engine))
    cdef int failed = 0
    cdef int32_t i
    if engine == NULL:
        return NULL
    engine.slots_limit = slots_limit
    engine.index_mask = slots_limit * 2 - 1
    engine.trades_mask = (<uint64_t>slots_limit) * 4 - 1
    engine.slots = <Slot *>calloc(slots_limit, sizeof(Slot))
    engine.by_id = <uint32_t *>calloc(slots_limit * 2, sizeof(uint32_t))
    engine.by_order_id = <uint32_t *>calloc(slots_limit * 2, sizeof(uint32_t))
    engine.confirmed = <uint32_t *>calloc(slots_limit, sizeof(uint32_t))
    engine.trades = <uint64_t *>calloc((<uint64_t>slots_limit) * 4, 2 * sizeof(uint64_t))
    engine.reservations = <Reservation *>calloc(PREPARED_MAX, sizeof(Reservation))
    engine.open = <OpenRef *>calloc(OPEN_MAX, sizeof(OpenRef))
    engine.symbols = <SymbolState *>calloc(SYMBOLS_MAX, sizeof(SymbolState))
    engine.phases = <PhaseState *>calloc(PHASES_MAX, sizeof(PhaseState))
    engine.level_ticks = <int64_t *>calloc(2 * LEVELS_MAX, sizeof(int64_t))
    engine.level_lots = <int64_t *>calloc(2 * LEVELS_MAX, sizeof(int64_t))
    failed |= _stage_new(&engine.records, RECORDS_BYTES)
    failed |= _stage_new(&engine.venue_out, VENUE_BYTES)
    failed |= _stage_new(&engine.verdicts, VERDICTS_BYTES)
    if (failed or engine.slots == NULL or engine.by_id == NULL or engine.by_order_id == NULL
            or engine.confirmed == NULL or engine.trades == NULL or engine.reservations == NULL
            or engine.open == NULL or engine.symbols == NULL or engine.phases == NULL
            or engine.level_ticks == NULL or engine.level_lots == NULL):
        engine_free(engine)
        return NULL
    engine.lapsed_head = 0xffffffff
    engine.lapsed_tail = 0xffffffff
    for i in range(PREPARED_MAX):
        engine.reservations[i].next_free = i + 1 if i + 1 < PREPARED_MAX else -1
    engine.next_lsn = 1
    engine.next_request_id = 1
    engine.venue_open_orders = -1
    engine.ack_latency_ns = -1
    engine.day = -1
    engine.edge_state = 2
    engine.edge_cause = 1
    return engine


cdef void engine_free(Engine *engine) noexcept nogil:
    cdef int32_t i
    if engine == NULL:
        return
    if engine.symbols != NULL:
        for i in range(engine.n_symbols):
            book_free(&engine.symbols[i].book)
    free(engine.slots)
    free(engine.by_id)
    free(engine.by_order_id)
    free(engine.confirmed)
    free(engine.trades)
    free(engine.reservations)
    free(engine.open)
    free(engine.symbols)
    free(engine.phases)
    free(engine.level_ticks)
    free(engine.level_lots)
    free(engine.records.bytes)
    free(engine.venue_out.bytes)
    free(engine.verdicts.bytes)
    free(engine)


cdef void engine_warm(Engine *engine) noexcept nogil:
    """Faults in what the first orders will touch, so that no order pays for it."""
    cdef uint32_t warm = INTENTS_WARM if INTENTS_WARM < engine.slots_limit else engine.slots_limit
    cdef uint32_t i
    for i in range(engine.n_slots, warm):
        memset(&engine.slots[i], 0, sizeof(Slot))
    if engine.n_slots == 0:
        memset(engine.by_id, 0, (<int64_t>engine.slots_limit) * 2 * sizeof(uint32_t))
        memset(engine.by_order_id, 0, (<int64_t>engine.slots_limit) * 2 * sizeof(uint32_t))
    for i in range(512):
        memset(&engine.reservations[i].raw[0], 0, 1024)
    memset(engine.records.bytes, 0, 1048576)
    memset(engine.venue_out.bytes, 0, 262144)
    memset(engine.verdicts.bytes, 0, 262144)
