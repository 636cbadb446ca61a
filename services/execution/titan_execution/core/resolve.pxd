# cython: language_level=3
"""UNKNOWN and reconciliation: asking the venue until it has answered."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from titan_execution.core.records cimport VenueEvent
from titan_execution.core.state cimport Engine


cdef void make_unknown(Engine *engine, uint32_t at, bint restated) noexcept nogil
cdef void resolve_due(Engine *engine, uint32_t at) noexcept nogil
cdef void resolve_ask(Engine *engine, uint32_t at) noexcept nogil
cdef void on_order_state(Engine *engine, const VenueEvent *event) noexcept nogil
cdef void on_query_end(Engine *engine, const VenueEvent *event) noexcept nogil
cdef void on_position(Engine *engine, const VenueEvent *event) noexcept nogil
cdef void on_link_up(Engine *engine) noexcept nogil
cdef void on_link_down(Engine *engine) noexcept nogil
cdef void sweep_tick(Engine *engine) noexcept nogil
cdef bint positions_comparable(const Engine *engine, int32_t at) noexcept nogil
