# cython: language_level=3
"""The journal: append-only, checked, chained, committed in groups (docs/FASTPATH.md, ADR 0002 and 0007).

Owns the writer: segments, the chain, the committed mark, the lock. Must never know what a body means.
One thread appends; any thread or process may read up to the committed mark (journal_reader).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from titan_execution.core.journal_format cimport (  # JournalCode is part of this module's words
    JOURNAL_CORRUPT, JOURNAL_END, JOURNAL_GONE, JOURNAL_IO, JOURNAL_NO_MEMORY, JOURNAL_NO_SPACE,
    JOURNAL_OK, JOURNAL_OVERSIZE, JOURNAL_SMALL, Segment,
)
from titan_execution.core.limits cimport ACCOUNT_MAX


cdef enum Durability:
    DURABILITY_PROCESS = 1             # survives kill -9
    DURABILITY_POWER = 2               # survives loss of power: one fdatasync per commit


cdef struct JournalState:
    Segment current
    Segment next                       # prepared by the helper; taken when next_ready
    Segment retired                    # full; the helper syncs, unmaps and closes it
    int64_t at                         # where the next record goes
    int64_t segment_bytes
    uint64_t next_lsn
    uint64_t epoch
    uint64_t durable_lsn               # this side's copy of the mark
    uint8_t chain[16]                  # hash of the last record
    uint64_t *mark                     # committed LSN, in the mapped mark file
    int32_t mark_fd
    int stopping                   # atomic: the helper leaves
    uint64_t written_lsn               # atomic: appended, not yet committed
    uint64_t commits
    uint64_t rotations
    uint64_t rotations_waited          # rotations that found no segment prepared
    int32_t durability
    int32_t failed                     # JournalCode that ended it; every later call repeats it
    int32_t error_number               # errno of that failure
    int next_ready                 # atomic: 0 none, 1 ready, -1 failed (next_errno)
    int32_t next_errno
    int wanted_fd                      # eventfd: asks the helper for the next segment
    int ready_fd                       # eventfd: says it is there
    int directory_fd
    int32_t account_size
    char account[ACCOUNT_MAX]


# Appends one record under the next LSN; returns the LSN or a negative JournalCode. Nothing is promised before commit.
cdef int64_t journal_append(JournalState *journal, uint8_t kind, const uint8_t *body,
                            uint32_t size) noexcept nogil
# Makes all appended records durable as configured, then moves the mark. JOURNAL_OK or a fatal code.
cdef int journal_commit(JournalState *journal) noexcept nogil
# Any thread.
cdef uint64_t journal_committed_lsn(const JournalState *journal) noexcept nogil
cdef uint64_t journal_written_lsn(const JournalState *journal) noexcept nogil
cdef uint64_t journal_last_ordinal(const JournalState *journal) noexcept nogil


cdef class Journal:
    # Opened (locked, verified, torn tail cut) from Python; then state belongs to the loop's thread.
    cdef JournalState state
    cdef object _path
    cdef object _helper
    cdef readonly object recovered     # Recovered: what opening found
    cdef bint _open
    cdef _release(self)
