# cython: language_level=3
"""What leaves a step: journal records, venue requests, verdicts, staged in the engine."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from titan_execution.core.policy cimport Gate
from titan_execution.core.records cimport Intent, Report, VenueEvent, VenueRequest, View
from titan_execution.core.state cimport Engine


cdef enum:
    RECORD_PREFIX = 13                 # u32 size | u8 kind | u64 lsn
    RECORD_ROOM = 16384                # largest record with its prefix

cdef void report_begin(Engine *engine, Report *report, int kind) noexcept nogil
cdef void report_order(Engine *engine, Report *report, int kind, int exec_type,
                       uint32_t at) noexcept nogil
cdef uint64_t report_emit(Engine *engine, Report *report) noexcept nogil
cdef uint64_t emit_order(Engine *engine, int kind, int exec_type, uint32_t at,
                         bint restated) noexcept nogil
cdef uint64_t emit_venue(Engine *engine, int kind, int exec_type, uint32_t at,
                         const VenueEvent *event, bint restated) noexcept nogil
cdef uint64_t emit_state(Engine *engine, int kind, int state, int cause, View text,
                         View operator_id) noexcept nogil
cdef bint emit_request(Engine *engine, VenueRequest *request) noexcept nogil
cdef uint64_t request_about(Engine *engine, int verb, uint32_t at) noexcept nogil
cdef void emit_verdict(Engine *engine, const Intent *intent, const Gate *gate,
                       int64_t latency_ns) noexcept nogil
cdef bint stages_have_room(const Engine *engine) noexcept nogil
