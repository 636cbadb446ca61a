# cython: language_level=3
"""client_order_id, a pure function of (account, intent_id, leg)."""

from libc.stdint cimport int32_t, uint8_t, uint16_t


cdef enum:
    ORDER_ID_SIZE = 26

# Writes 26 characters and a NUL.
cdef void order_id_of(const char *account, int32_t account_size, const uint8_t *intent_id,
                      uint16_t leg, char *out) noexcept nogil
