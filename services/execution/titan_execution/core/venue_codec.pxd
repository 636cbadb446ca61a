# cython: language_level=3
"""The venue socket's messages to records and back."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from titan_execution.core.records cimport VenueEvent, VenueRequest, View


# 0 or a RejectReason; the number of elements or -1; the size or -1.
cdef int codec_venue_event(const uint8_t *data, int32_t size, VenueEvent *out) noexcept nogil
cdef int codec_levels(View packed, int64_t *out, int32_t limit) noexcept nogil
cdef int64_t encode_request_to(const VenueRequest *request, uint8_t *out,
                               int64_t cap) noexcept nogil
