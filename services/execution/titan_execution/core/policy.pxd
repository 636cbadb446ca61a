# cython: language_level=3
"""The gate: one rejection out, cheap checks first, every check evaluated on record."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from titan_execution.core.records cimport Checks, Intent, Rejection, View
from titan_execution.core.state cimport Engine, Slot


cdef struct Gate:
    Checks checks
    Rejection rejection
    int32_t symbol
    int32_t phase
    uint8_t reducing


cdef void gate_open(Gate *gate) noexcept nogil
cdef bint gate_deny(Gate *gate, int reason, int64_t value, int64_t limit,
                    const char *field) noexcept nogil
cdef bint gate_prepare(Engine *engine, const Intent *intent, const uint8_t *frame_hash,
                       Gate *gate) noexcept nogil
cdef bint gate_confirm(Engine *engine, uint32_t at, const uint8_t *frame_hash,
                       Gate *gate) noexcept nogil
cdef void gate_reserved(Engine *engine, uint32_t at) noexcept nogil
cdef void gate_note_refusal(Engine *engine, const Gate *gate, uint64_t key) noexcept nogil
cdef void gate_note_venue_reject(Engine *engine, const Slot *slot) noexcept nogil
cdef uint64_t order_key(int32_t symbol, int side, int64_t ticks, int64_t lots) noexcept nogil

# Message rate (C10): new orders leave the reserve alone, cancels and reductions may use all.
cdef bint rate_has(Engine *engine, bint privileged, int64_t *used, int64_t *limit) noexcept nogil
cdef void rate_take(Engine *engine) noexcept nogil

cdef int trading_state(const Engine *engine) noexcept nogil
