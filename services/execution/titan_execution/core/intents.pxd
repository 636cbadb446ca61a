# cython: language_level=3
"""The intent table: found by intent id and by client order id, for ever."""

from libc.stdint cimport int32_t, uint8_t, uint32_t

from titan_execution.core.records cimport Intent, View
from titan_execution.core.state cimport Engine, Slot


cdef uint32_t intents_find(const Engine *engine, const uint8_t *intent_id) noexcept nogil
cdef uint32_t intents_find_order(const Engine *engine, View client_order_id) noexcept nogil
cdef uint32_t intents_take(Engine *engine, const uint8_t *intent_id) noexcept nogil
# What the intent says, in its slot, with the token that CONFIRM must repeat: live and at replay.
cdef void intents_describe(Engine *engine, uint32_t at, const Intent *intent, int32_t symbol,
                           int32_t phase) noexcept nogil
cdef void intents_bind_order(Engine *engine, uint32_t at) noexcept nogil
cdef void intents_lapse(Engine *engine, uint32_t at) noexcept nogil
cdef void intents_revive(Engine *engine, uint32_t at) noexcept nogil
cdef bint intents_full(const Engine *engine) noexcept nogil

cdef int32_t reservation_take(Engine *engine) noexcept nogil
cdef void reservation_free(Engine *engine, Slot *slot) noexcept nogil

cdef void open_add(Engine *engine, uint32_t at) noexcept nogil
cdef void open_remove(Engine *engine, uint32_t at) noexcept nogil
