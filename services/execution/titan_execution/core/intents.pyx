# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The intent table: open addressing by intent id and by client order id, reservations, open list.

Owns where an intent is kept and when the place of a lapsed reservation is used again. Must never
know venues, limits or what a state means.
"""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from titan_execution.core.order_id cimport ORDER_ID_SIZE, order_id_of
from titan_execution.core.records cimport HASH_BYTES, ID_BYTES, Intent, View
from titan_execution.core.state cimport (
    FLAG_LAPSED, FLAG_REDUCE_ONLY, NO_SLOT, OPEN_MAX, Engine, OpenRef, Reservation, Slot,
)
from titan_execution.core.vocabulary cimport (
    SIDE_BUY, TIME_IN_FORCE_FOK, TIME_IN_FORCE_IOC,
)


cdef inline uint32_t _id_home(const Engine *engine, const uint8_t *intent_id) noexcept nogil:
    cdef uint64_t words[2]
    memcpy(words, intent_id, 16)
    words[0] = (words[0] ^ words[1] * <uint64_t>0x9e3779b97f4a7c15) * <uint64_t>0xff51afd7ed558ccd
    return <uint32_t>(words[0] >> 32) & engine.index_mask


cdef inline uint32_t _order_home(const Engine *engine, const void *text) noexcept nogil:
    # 26 characters of base 32: the middle 16 carry 80 bits of the digest.
    return _id_home(engine, (<const uint8_t *>text) + 4)


cdef uint32_t intents_find(const Engine *engine, const uint8_t *intent_id) noexcept nogil:
    """Slot of an intent id, NO_SLOT when it was never seen."""
    cdef uint32_t at = _id_home(engine, intent_id)
    cdef uint32_t held = engine.by_id[at]
    while held != 0:
        if memcmp(&engine.slots[held - 1].intent_id[0], intent_id, ID_BYTES) == 0:
            return held - 1
        at = (at + 1) & engine.index_mask
        held = engine.by_id[at]
    return NO_SLOT


cdef uint32_t intents_find_order(const Engine *engine, View client_order_id) noexcept nogil:
    """Slot of a client order id, NO_SLOT when it is not ours."""
    cdef uint32_t at, held
    if client_order_id.size != ORDER_ID_SIZE:
        return NO_SLOT
    at = _order_home(engine, client_order_id.at)
    held = engine.by_order_id[at]
    while held != 0:
        if memcmp(&engine.slots[held - 1].client_order_id[0], client_order_id.at,
                  ORDER_ID_SIZE) == 0:
            return held - 1
        at = (at + 1) & engine.index_mask
        held = engine.by_order_id[at]
    return NO_SLOT


cdef void _index_remove(Engine *engine, uint32_t slot) noexcept nogil:
    """Backward-shift deletion: no tombstones, so probes never grow."""
    cdef uint32_t hole = _id_home(engine, engine.slots[slot].intent_id)
    cdef uint32_t at, home
    while engine.by_id[hole] != slot + 1:
        hole = (hole + 1) & engine.index_mask
    at = hole
    while True:
        at = (at + 1) & engine.index_mask
        if engine.by_id[at] == 0:
            break
        home = _id_home(engine, engine.slots[engine.by_id[at] - 1].intent_id)
        if ((at - home) & engine.index_mask) >= ((at - hole) & engine.index_mask):
            engine.by_id[hole] = engine.by_id[at]
            hole = at
    engine.by_id[hole] = 0


cdef void _lapsed_unlink(Engine *engine, uint32_t at) noexcept nogil:
    cdef Slot *slot = &engine.slots[at]
    if slot.prev_lapsed != NO_SLOT:
        engine.slots[slot.prev_lapsed].next_lapsed = slot.next_lapsed
    else:
        engine.lapsed_head = slot.next_lapsed
    if slot.next_lapsed != NO_SLOT:
        engine.slots[slot.next_lapsed].prev_lapsed = slot.prev_lapsed
    else:
        engine.lapsed_tail = slot.prev_lapsed
    engine.n_lapsed -= 1


cdef bint intents_full(const Engine *engine) noexcept nogil:
    """True: no place for one more intent."""
    return engine.n_slots >= engine.slots_limit and engine.n_lapsed == 0


cdef uint32_t intents_take(Engine *engine, const uint8_t *intent_id) noexcept nogil:
    """A clean slot under a new intent id; NO_SLOT when the table is full."""
    cdef uint32_t at
    cdef Slot *slot
    if engine.n_slots < engine.slots_limit and engine.n_lapsed < (engine.slots_limit >> 3):
        at = engine.n_slots
        engine.n_slots += 1
    elif engine.n_lapsed > 0:
        at = engine.lapsed_head
        _lapsed_unlink(engine, at)
        _index_remove(engine, at)
    else:
        return NO_SLOT
    slot = &engine.slots[at]
    memset(slot, 0, sizeof(Slot))
    memcpy(&slot.intent_id[0], intent_id, ID_BYTES)
    slot.reservation = -1
    slot.open_at = -1
    cdef uint32_t home = _id_home(engine, intent_id)
    while engine.by_id[home] != 0:
        home = (home + 1) & engine.index_mask
    engine.by_id[home] = at + 1
    return at


cdef void intents_describe(Engine *engine, uint32_t at, const Intent *intent, int32_t symbol,
                           int32_t phase) noexcept nogil:
    cdef Slot *slot = &engine.slots[at]
    cdef uint64_t words[2]
    memcpy(&slot.digest[0], &intent.digest[0], HASH_BYTES)
    memcpy(&words[0], &intent.digest[0], 8)
    memcpy(&words[1], &intent.intent_id[8], 8)
    slot.token = words[0] ^ words[1] | 1
    slot.symbol = <uint16_t>symbol
    slot.phase = <uint16_t>phase
    slot.side = <uint8_t>intent.side
    slot.order_type = <uint8_t>intent.order_type
    slot.time_in_force = <uint8_t>intent.time_in_force
    slot.flags = FLAG_REDUCE_ONLY if intent.reduce_only else 0
    slot.qty_lots = intent.qty_lots
    slot.price_ticks = intent.price_ticks
    slot.leaves_lots = intent.qty_lots
    slot.expires_boottime_ns = intent.expires_boottime_ns


cdef void intents_bind_order(Engine *engine, uint32_t at) noexcept nogil:
    """Derives the client order id, makes the slot findable by it, appends it to the confirmed."""
    cdef Slot *slot = &engine.slots[at]
    cdef uint32_t home
    order_id_of(engine.account, engine.account_size, slot.intent_id, 0, slot.client_order_id)
    home = _order_home(engine, slot.client_order_id)
    while engine.by_order_id[home] != 0:
        home = (home + 1) & engine.index_mask
    engine.by_order_id[home] = at + 1
    engine.confirmed[engine.n_confirmed] = at
    engine.n_confirmed += 1


cdef void intents_lapse(Engine *engine, uint32_t at) noexcept nogil:
    """A reservation ended without an order: the place may be used again, oldest first."""
    cdef Slot *slot = &engine.slots[at]
    slot.flags |= FLAG_LAPSED
    slot.next_lapsed = NO_SLOT
    slot.prev_lapsed = engine.lapsed_tail
    if engine.lapsed_tail != NO_SLOT:
        engine.slots[engine.lapsed_tail].next_lapsed = at
    else:
        engine.lapsed_head = at
    engine.lapsed_tail = at
    engine.n_lapsed += 1


cdef void intents_revive(Engine *engine, uint32_t at) noexcept nogil:
    """The same intent is prepared again after its reservation lapsed."""
    _lapsed_unlink(engine, at)
    engine.slots[at].flags &= ~FLAG_LAPSED


cdef int32_t reservation_take(Engine *engine) noexcept nogil:
    """Index of a free reservation, -1 when all are taken."""
    cdef int32_t at = engine.reservation_free
    if at >= 0:
        engine.reservation_free = engine.reservations[at].next_free
        engine.n_prepared += 1
    return at


cdef void reservation_free(Engine *engine, Slot *slot) noexcept nogil:
    if slot.reservation < 0:
        return
    engine.reservations[slot.reservation].next_free = engine.reservation_free
    engine.reservation_free = slot.reservation
    slot.reservation = -1
    engine.n_prepared -= 1


cdef void open_add(Engine *engine, uint32_t at) noexcept nogil:
    """Into the dense list of what is reserved or working; its bound is checked at PREPARE."""
    cdef Slot *slot = &engine.slots[at]
    cdef OpenRef *ref
    if slot.open_at >= 0 or engine.n_open >= OPEN_MAX:
        return
    slot.open_at = engine.n_open
    ref = &engine.open[engine.n_open]
    engine.n_open += 1
    ref.price_ticks = slot.price_ticks
    ref.slot = at
    ref.symbol = slot.symbol
    ref.side = slot.side
    ref.resting = (slot.time_in_force != TIME_IN_FORCE_IOC
                   and slot.time_in_force != TIME_IN_FORCE_FOK)


cdef void open_remove(Engine *engine, uint32_t at) noexcept nogil:
    cdef Slot *slot = &engine.slots[at]
    cdef int32_t last
    if slot.open_at < 0:
        return
    engine.n_open -= 1
    last = engine.n_open
    if slot.open_at != last:
        engine.open[slot.open_at] = engine.open[last]
        engine.slots[engine.open[last].slot].open_at = slot.open_at
    slot.open_at = -1
