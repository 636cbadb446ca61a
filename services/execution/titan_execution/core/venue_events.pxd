# cython: language_level=3
"""What the venue says: orders, fills, books."""

from titan_execution.core.records cimport VenueEvent
from titan_execution.core.state cimport Engine


cdef void on_venue_event(Engine *engine, const VenueEvent *event) noexcept nogil
