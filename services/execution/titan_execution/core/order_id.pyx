# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""client_order_id: "T1" + b32lower(BLAKE2b-120("titan.cloid.v1\\0" account "\\0" intent "\\0" leg)).

Owns the derivation and the BLAKE2b it rests on (RFC 7693; libcrypto offers no 15-byte digest).
Must never know epochs, attempts, time or randomness: any incarnation must get the same id.
"""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset


cdef uint64_t[8] IV = [
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
]

cdef uint8_t[160] SIGMA = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
    11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
    7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
    9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
    2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
    12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
    13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
    6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
    10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
]

cdef const char *ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"


cdef inline uint64_t _rotate(uint64_t word, int bits) noexcept nogil:
    return (word >> bits) | (word << (64 - bits))


cdef inline void _mix(uint64_t *v, int a, int b, int c, int d, uint64_t x,
                      uint64_t y) noexcept nogil:
    v[a] = v[a] + v[b] + x
    v[d] = _rotate(v[d] ^ v[a], 32)
    v[c] = v[c] + v[d]
    v[b] = _rotate(v[b] ^ v[c], 24)
    v[a] = v[a] + v[b] + y
    v[d] = _rotate(v[d] ^ v[a], 16)
    v[c] = v[c] + v[d]
    v[b] = _rotate(v[b] ^ v[c], 63)


cdef void _blake2b_120(const uint8_t *block, int32_t size, uint8_t *out) noexcept nogil:
    """BLAKE2b with a 15-byte digest of one block (size <= 128)."""
    cdef uint64_t h[8]
    cdef uint64_t v[16]
    cdef uint64_t m[16]
    cdef const uint8_t *s
    cdef int i, round_at
    memcpy(m, block, 128)
    for i in range(8):
        h[i] = IV[i]
    h[0] ^= 0x01010000 ^ 15
    for i in range(8):
        v[i] = h[i]
        v[i + 8] = IV[i]
    v[12] ^= <uint64_t>size
    v[14] = ~v[14]
    for round_at in range(12):
        s = &SIGMA[(round_at % 10) * 16]
        _mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]])
        _mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]])
        _mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]])
        _mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]])
        _mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]])
        _mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]])
        _mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]])
        _mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]])
    for i in range(8):
        h[i] ^= v[i] ^ v[i + 8]
    memcpy(out, h, 15)


cdef void order_id_of(const char *account, int32_t account_size, const uint8_t *intent_id,
                      uint16_t leg, char *out) noexcept nogil:
    cdef uint8_t block[128]
    cdef uint8_t digest[16]
    cdef uint64_t bits = 0
    cdef int32_t at = 15
    cdef int held = 0
    cdef int i
    memset(block, 0, 128)
    memcpy(block, b"titan.cloid.v1", 14)   # the NUL is there already
    memcpy(&block[at], account, account_size)
    at += account_size + 1
    memcpy(&block[at], intent_id, 16)
    at += 17
    block[at] = leg & 0xff
    block[at + 1] = leg >> 8
    _blake2b_120(block, at + 2, digest)
    out[0] = b"T"
    out[1] = b"1"
    at = 2
    for i in range(15):
        bits = (bits << 8) | digest[i]
        held += 8
        while held >= 5:
            held -= 5
            out[at] = ALPHABET[(bits >> held) & 31]
            at += 1
    out[at] = 0
