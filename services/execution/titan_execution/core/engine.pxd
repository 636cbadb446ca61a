# cython: language_level=3
"""The verbs of FastPath and gRPC: PREPARE, CONFIRM, ABORT, STATUS, CANCEL, PING, HALT."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from titan_execution.core.records cimport Answer, IntentRef, View
from titan_execution.core.state cimport Engine, Slot


cdef void on_prepare(Engine *engine, View raw, const uint8_t *frame_hash, View principal,
                     Answer *answer) noexcept nogil
cdef void on_confirm(Engine *engine, const IntentRef *ref, const uint8_t *frame_hash,
                     Answer *answer) noexcept nogil
cdef void on_abort(Engine *engine, const IntentRef *ref, Answer *answer) noexcept nogil
cdef void on_status(Engine *engine, const IntentRef *ref, Answer *answer) noexcept nogil
cdef void on_cancel(Engine *engine, const IntentRef *ref, Answer *answer) noexcept nogil
cdef void on_ping(Engine *engine, uint64_t echo, Answer *answer) noexcept nogil

cdef void answer_refused(Answer *answer, const uint8_t *intent_id, int reason, int64_t value,
                         int64_t limit, const char *field) noexcept nogil
cdef void request_cancel(Engine *engine, uint32_t at) noexcept nogil
cdef void send_wanted_cancel(Engine *engine, uint32_t at) noexcept nogil
cdef void lapse_reservation(Engine *engine, uint32_t at) noexcept nogil
cdef void set_deadline(Engine *engine, Slot *slot, int64_t at_ns) noexcept nogil
