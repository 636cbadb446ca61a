# cython: language_level=3
"""Reading a journal: verified at start, followed while it grows (docs/FASTPATH.md).

Owns the cursor and the rule that tells a torn tail from corruption. Must never write a record, nor
know what a body means.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from titan_execution.core.journal_format cimport (
    JOURNAL_CORRUPT, JOURNAL_END, JOURNAL_GONE, JOURNAL_IO, JOURNAL_OK, Segment,
)


cdef struct JournalRecord:
    uint64_t lsn
    uint64_t epoch
    uint64_t durable_lsn               # what was committed when it was appended
    const uint8_t *body                # good until the next journal_next
    uint32_t size
    uint8_t kind


cdef struct JournalCursor:
    Segment segment                    # mapped read-only
    int64_t at
    uint64_t next_lsn
    int directory_fd


# Where verification is, and what it found.
cdef struct Verification:
    uint64_t next_lsn                  # expected
    uint64_t epoch                     # of the last record
    uint64_t records
    uint64_t mark                      # committed LSN that must be there
    uint8_t chain[16]
    int64_t at                         # offset behind the last good record of the segment
    const char *why                    # what was wrong, for people


# Records from from_lsn on; last_ordinal: the newest segment begun (journal_last_ordinal of the writer).
# JOURNAL_OK, JOURNAL_GONE (in no segment of this directory) or JOURNAL_IO.
cdef int journal_cursor_open(JournalCursor *cursor, int directory_fd, uint64_t last_ordinal,
                             uint64_t from_lsn) noexcept nogil
# The next record up to that LSN (the committed one): JOURNAL_OK, JOURNAL_END or a failure.
cdef int journal_next(JournalCursor *cursor, uint64_t up_to_lsn, JournalRecord *out) noexcept nogil
cdef void journal_cursor_close(JournalCursor *cursor) noexcept nogil

cdef int segment_map(Segment *segment, int directory_fd, uint64_t ordinal, bint write) noexcept nogil
cdef void segment_unmap(Segment *segment) noexcept nogil
# Reads on through one segment; JOURNAL_OK at its clean end, JOURNAL_END at a bad place (verification.at), JOURNAL_CORRUPT.
cdef int segment_verify(const Segment *segment, Verification *verification) noexcept nogil
# Highest durable LSN that any whole record in bytes[from..to) claims; 0 = there is none. last: where the last non-zero byte ends.
cdef uint64_t segment_claims(const Segment *segment, int64_t start, int64_t *last) noexcept nogil
