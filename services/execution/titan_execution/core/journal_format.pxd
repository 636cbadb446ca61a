# cython: language_level=3
"""What a journal looks like in its files: header, record, CRC, chain, mark (docs/FASTPATH.md).

Owns the layout and the words of atomic access. Must never know who writes, who reads or why.

Directory: "mark" and NNNNNNNN.seg. Segment: 128 bytes of header, records back to back, zeros.
Header: 8B "TTNJRNL1" | u32 crc32c of bytes 12..127 | u32 0 | u64 segment bytes | u64 ordinal | u64 first LSN (0 =
prepared, not begun) | u64 epoch | 16B chain | u8 account size | account. Record: u32 size of body | u32
crc32c of all else | u64 LSN | u64 epoch | u64 durable LSN when appended | 16B chain | u8 kind | body.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from titan_execution.core.limits cimport (
    ACCOUNT_MAX, RECORD_BODY_MAX, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES,
)


cdef enum JournalCode:
    JOURNAL_OK = 0
    JOURNAL_END = 1                    # nothing (committed) behind here
    JOURNAL_IO = -1                    # write, sync or map failed: fatal, exit 70
    JOURNAL_NO_SPACE = -2              # no next segment: fatal, exit 70
    JOURNAL_OVERSIZE = -3              # body larger than RECORD_BODY_MAX
    JOURNAL_CORRUPT = -4               # a record below the committed mark does not verify
    JOURNAL_SMALL = -5                 # segment too small for the record
    JOURNAL_GONE = -6                  # those records are in no segment of this directory
    JOURNAL_NO_MEMORY = -7


cdef enum:
    CHAIN_BYTES = 16
    MARK_BYTES = 4096
    MARK_LSN = 8                       # index of the committed LSN, in words
    MARK_NOT_LSN = 9                   # its complement, written second: a flipped bit shows
    MARK_ORDINAL = 16                  # newest segment begun
    HEADER_CRC_FROM = 12
    HEADER_SIZE_AT = 16
    HEADER_ORDINAL_AT = 24
    HEADER_FIRST_LSN_AT = 32
    HEADER_EPOCH_AT = 40
    HEADER_CHAIN_AT = 48
    HEADER_ACCOUNT_AT = 64


cdef struct Segment:
    uint8_t *bytes                     # NULL = none
    int64_t size
    uint64_t ordinal
    int fd


cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #include <nmmintrin.h>
    #include <openssl/sha.h>

    static const char titan_segment_magic[8] = {'T', 'T', 'N', 'J', 'R', 'N', 'L', '1'};
    static const char titan_mark_magic[8] = {'T', 'T', 'N', 'M', 'A', 'R', 'K', '1'};

    static uint32_t titan_crc_table[256];
    static int titan_crc_hardware;

    static void titan_crc_setup(void) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = i;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1u)));
            titan_crc_table[i] = crc;
        }
        titan_crc_hardware = __builtin_cpu_supports("sse4.2");
    }

    static uint32_t titan_crc_by_table(uint32_t crc, const uint8_t *at, size_t size) {
        while (size--)
            crc = (crc >> 8) ^ titan_crc_table[(crc ^ *at++) & 0xffu];
        return crc;
    }

    __attribute__((target("sse4.2")))
    static uint32_t titan_crc_by_cpu(uint32_t crc, const uint8_t *at, size_t size) {
        uint64_t wide = crc, word;
        for (; size >= 8; size -= 8, at += 8) {
            memcpy(&word, at, 8);
            wide = _mm_crc32_u64(wide, word);
        }
        crc = (uint32_t)wide;
        while (size--)
            crc = _mm_crc32_u8(crc, *at++);
        return crc;
    }

    static inline uint32_t titan_crc_run(uint32_t crc, const uint8_t *at, size_t size) {
        return titan_crc_hardware ? titan_crc_by_cpu(crc, at, size)
                                  : titan_crc_by_table(crc, at, size);
    }

    /* CRC-32C (Castagnoli) of a, then b: the four bytes of the CRC itself lie between them. */
    static inline uint32_t titan_crc32c(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
        return ~titan_crc_run(titan_crc_run(~0u, a, a_size), b, b_size);
    }

    /* SHA-256 cut to 16 bytes; the low-level calls skip the provider look-up of EVP. */
    static inline void titan_chain(const uint8_t *at, size_t size, uint8_t *out) {
        unsigned char full[32];
        SHA256_CTX ctx;
        SHA256_Init(&ctx);
        SHA256_Update(&ctx, at, size);
        SHA256_Final(full, &ctx);
        memcpy(out, full, 16);
    }

    static inline uint64_t titan_get(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static inline void titan_set(uint64_t *at, uint64_t v) { __atomic_store_n(at, v, __ATOMIC_RELEASE); }
    static inline int titan_get_int(const int *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static inline void titan_set_int(int *at, int v) { __atomic_store_n(at, v, __ATOMIC_RELEASE); }
    """
    const char *titan_segment_magic
    const char *titan_mark_magic
    void titan_crc_setup()
    uint32_t titan_crc_by_table(uint32_t crc, const uint8_t *at, size_t size)
    uint32_t titan_crc32c(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
    void titan_chain(const uint8_t *at, size_t size, uint8_t *out)
    uint64_t titan_get(const uint64_t *at)
    void titan_set(uint64_t *at, uint64_t value)
    int titan_get_int(const int *at)
    void titan_set_int(int *at, int value)


cdef struct RecordHeader:
    uint64_t lsn
    uint64_t epoch
    uint64_t durable_lsn
    uint32_t size
    uint32_t crc
    uint8_t kind


cdef inline uint64_t word_at(const uint8_t *at) noexcept nogil:
    """An unaligned u64."""
    cdef uint64_t out
    memcpy(&out, at, 8)
    return out


cdef inline void record_header(const uint8_t *at, RecordHeader *out) noexcept nogil:
    memcpy(&out.size, at, 4)
    memcpy(&out.crc, at + 4, 4)
    out.lsn = word_at(at + 8)
    out.epoch = word_at(at + 16)
    out.durable_lsn = word_at(at + 24)
    out.kind = at[48]


cdef inline bint record_holds(const uint8_t *at, int64_t room, RecordHeader *out) noexcept nogil:
    """Whether a whole record with a right CRC lies at at."""
    if room < RECORD_HEADER_BYTES:
        return False
    record_header(at, out)
    if out.lsn == 0 or out.size > RECORD_BODY_MAX or RECORD_HEADER_BYTES + <int64_t>out.size > room:
        return False
    return out.crc == titan_crc32c(at, 4, at + 8, RECORD_HEADER_BYTES - 8 + out.size)


cdef inline bint header_holds(const uint8_t *at, int64_t size) noexcept nogil:
    """Whether a segment header with a right CRC lies at at."""
    cdef uint32_t crc
    if size < SEGMENT_HEADER_BYTES or memcmp(at, titan_segment_magic, 8) != 0:
        return False
    memcpy(&crc, at + 8, 4)
    return crc == titan_crc32c(at, 8, at + HEADER_CRC_FROM, SEGMENT_HEADER_BYTES - HEADER_CRC_FROM)
