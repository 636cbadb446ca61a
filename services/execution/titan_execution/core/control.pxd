# cython: language_level=3
"""Lease, latch, timer: what moves the edge besides orders."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from titan_execution.core.records cimport Lease, Rejection, View
from titan_execution.core.state cimport Engine


cdef bint on_lease(Engine *engine, const Lease *lease, Rejection *why) noexcept nogil
cdef uint64_t on_halt(Engine *engine, int cause, View text, View operator_id) noexcept nogil
cdef bint on_resume(Engine *engine, uint64_t halt_epoch, View text, View operator_id,
                    Rejection *why) noexcept nogil
cdef void on_defensive(Engine *engine, int cause, View text, View operator_id) noexcept nogil
cdef void halt_if_wanted(Engine *engine) noexcept nogil
cdef void on_tick(Engine *engine) noexcept nogil
cdef void on_start(Engine *engine) noexcept nogil
